"""Small matrices of exact fractions: parse, format, and convert to tensors without rounding."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm

import torch
from torch import Tensor

from fullconv.errors import ConfigError

Matrix = tuple[tuple[Fraction, ...], ...]
"""Rows of equal length."""

MAX_SIDE = 16  # of a matrix that a user gives; larger ones are not legible
_NUMBER = re.compile(r"-?\d{1,6}(\.\d{1,6}|/\d{1,6})?")
_EXACT = 2**53  # float64 holds every integer up to here


def parse_matrix(text: str, option: str) -> Matrix:
    """Parse rows separated by semicolons: "1 2; 3 1/2" has two rows.

    Args:
        text: numbers are integers, decimals or fractions, separated by spaces or commas.
        option: its name, for messages.

    Raises:
        ConfigError: an entry is not a number, rows differ in length, or a side is longer than 16.
    """
    lines = [line.replace(",", " ").split() for line in text.strip().rstrip(";").split(";")]
    rows = [[_number(word, option) for word in line] for line in lines]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1 or not lengths[0]:
        raise ConfigError(
            f"{option}: rows of {' and '.join(map(str, lengths))} numbers; expected rows of equal "
            'length, separated by semicolons, such as "1 2; 3 4"'
        )
    if max(len(rows), lengths[0]) > MAX_SIDE:
        raise ConfigError(
            f"{option} has {len(rows)} x {lengths[0]} numbers; expected at most "
            f"{MAX_SIDE} x {MAX_SIDE}"
        )
    return as_matrix(rows)


def as_matrix(rows: Iterable[Iterable[Fraction | int]]) -> Matrix:
    """Return rows of numbers as a matrix."""
    return tuple(tuple(map(Fraction, row)) for row in rows)


def size_of(matrix: Matrix) -> tuple[int, int]:
    """Return (rows, columns)."""
    return len(matrix), len(matrix[0])


def transpose(matrix: Matrix) -> Matrix:
    """Return the transposed matrix."""
    return tuple(zip(*matrix, strict=True))


def multiply(first: Matrix, second: Matrix) -> Matrix:
    """Return the matrix product."""
    columns = transpose(second)
    return as_matrix(
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction()) for column in columns]
        for row in first
    )


def texts(matrix: Matrix) -> list[list[str]]:
    """Return every number as text: "2", "-1/3"."""
    return [[str(value) for value in row] for row in matrix]


def integers(matrix: Matrix) -> tuple[Tensor, int]:
    """Return a matrix as (rows, columns) float64 of whole numbers, and what to divide them by.

    Raises:
        ConfigError: float64 cannot hold the whole numbers exactly.
    """
    divisor = lcm(*(value.denominator for row in matrix for value in row))
    whole = [[int(value * divisor) for value in row] for row in matrix]
    if max(abs(value) for row in whole for value in row) >= _EXACT:
        raise ConfigError("the numbers cannot be computed exactly; use fewer digits")
    return torch.tensor(whole, dtype=torch.float64), divisor


def exactly(tensor: Tensor, divisor: int) -> Matrix:
    """Return a (rows, columns) tensor of whole numbers, divided, as a matrix.

    Raises:
        ConfigError: a number is so large that it may have been rounded.
    """
    if tensor.numel() and float(tensor.abs().max()) >= _EXACT:
        raise ConfigError("the numbers cannot be computed exactly; use fewer digits")
    rows: Sequence[Sequence[float]] = tensor.tolist()
    return tuple(tuple(Fraction(int(value), divisor) for value in row) for row in rows)


def as_json(matrix: Matrix) -> dict[str, list[list[str]] | list[list[float]]]:
    """Return a matrix as exact texts and as decimals."""
    return {"exact": texts(matrix), "values": [[float(value) for value in row] for row in matrix]}


def _number(word: str, option: str) -> Fraction:
    if not _NUMBER.fullmatch(word) or re.search(r"/0+$", word):
        raise ConfigError(
            f"{option}: {word[:20]!r} is not a number; expected integers, decimals or fractions of "
            'at most 6 digits, such as "1 2; 0.5 1/3"'
        )
    return Fraction(word)
