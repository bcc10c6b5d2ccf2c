"""Tell masks that were resampled with interpolation from exact ones, by their edges."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Integer

MAX_FRINGE = 0.3  # `fringe` above which a mask was interpolated; CamVid's stay below 0.06
_FRINGE_ROWS = 4  # every fourth row is as informative as all
_MIN_EDGES = 20  # in those rows; fewer say nothing
_INSIDE = 0.1  # share of inner pixels up to which a class is a thin outline
_USUAL = 0.9  # share of the steps between two values that pass through one and the same value


@dataclass(frozen=True)
class Steps:
    """The edges along the rows of a mask.

    Attributes:
        between: (lower, higher value at the ends) -> value of the one pixel between -> edges.
        sharp: the edges without an intermediate value.
    """

    between: Mapping[tuple[int, int], Mapping[int, int]]
    sharp: int


def fringe(raw: Integer[np.ndarray, "H W"]) -> float:
    """Return the share of edges that pass through intermediate values, in [0, 1].

    Interpolation affects nearly every edge; in an exact mask such edges are a coincidence, or the
    thin outlines of `outlined_fringe`.
    """
    rows = raw[::_FRINGE_ROWS].astype(np.int32)
    return _share(int(_between(rows).sum()), int(_sharp(rows).sum())) if rows.shape[1] >= 4 else 0.0


def count_steps(raw: Integer[np.ndarray, "H W"]) -> Steps:
    """Count the edges of a mask by the values before, within and after each."""
    rows = raw[::_FRINGE_ROWS].astype(np.int32)
    if rows.shape[1] < 4:
        return Steps({}, 0)
    soft = _between(rows)
    ends = np.sort(np.stack([rows[:, :-2][soft], rows[:, 2:][soft]]), 0)
    steps, counts = np.unique(np.stack([*ends, rows[:, 1:-1][soft]]), axis=1, return_counts=True)
    between: dict[tuple[int, int], dict[int, int]] = {}
    for (low, high, middle), number in zip(steps.T.tolist(), counts.tolist(), strict=True):
        between.setdefault((low, high), {})[middle] = number
    return Steps(between, int(_sharp(rows).sum()))


def outlined_fringe(steps: Steps, thin: Set[int]) -> float:
    """Return `fringe` without the edges of nested classes with a thin outline, such as a cell wall.

    Such an edge passes through the same value between these two classes everywhere, and that is a
    class which is thin in all masks. Interpolation passes through classes with an interior too.

    Args:
        steps: of the mask.
        thin: values that are thin wherever they occur; see `thin_values`.
    """
    soft = outlines = 0
    for middles in steps.between.values():
        total, usual = sum(middles.values()), max(middles, key=lambda value: middles[value])
        soft += total
        if usual in thin and middles[usual] >= _USUAL * total:
            outlines += middles[usual]
    return _share(soft - outlines, steps.sharp + outlines)


def is_inner(raw: Integer[np.ndarray, "H W"]) -> Bool[np.ndarray, "h w"]:
    """Return which pixels, but for those at the mask's border, have eight neighbours like them."""
    rows = (raw[1:-1] == raw[:-2]) & (raw[1:-1] == raw[2:])
    columns = (raw[:, 1:-1] == raw[:, :-2]) & (raw[:, 1:-1] == raw[:, 2:])
    found: Bool[np.ndarray, "h w"] = rows[:, 1:-1] & rows[:, :-2] & rows[:, 2:]
    found &= columns[1:-1]
    return found


def thin_values(pixels: Mapping[int, int], inner: Mapping[int, int]) -> frozenset[int]:
    """Return the values that hardly occur among the inner pixels: value -> pixels, of all masks."""
    return frozenset(v for v, number in pixels.items() if inner.get(v, 0) <= _INSIDE * number)


def _between(rows: Integer[np.ndarray, "h W"]) -> Bool[np.ndarray, "h w"]:
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    found: Bool[np.ndarray, "h w"] = np.minimum(left, right) < middle
    found &= middle < np.maximum(left, right)
    return found


def _sharp(rows: Integer[np.ndarray, "h W"]) -> Bool[np.ndarray, "h w"]:
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    found: Bool[np.ndarray, "h w"] = np.abs(left - middle) > 1
    found &= middle == right
    return found


def _share(soft: int, hard: int) -> float:
    return float(soft / (soft + hard)) if soft + hard >= _MIN_EDGES else 0.0
