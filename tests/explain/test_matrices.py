"""Matrices of fractions are parsed strictly and converted without rounding."""

from fractions import Fraction

import pytest

from fullconv.errors import ConfigError
from fullconv.explain.matrices import exactly, integers, multiply, parse_matrix


def test_integers_decimals_and_fractions_are_exact():
    assert parse_matrix("1 -2; 0.1, 1/3;", "--input") == (
        (Fraction(1), Fraction(-2)),
        (Fraction(1, 10), Fraction(1, 3)),
    )


@pytest.mark.parametrize(
    "text", ["", "1 2; 3", "a", "1e9", "1/0", "nan", "1 " * 17, "1;" * 17, "9999999", "1;;2"]
)
def test_other_texts_are_refused_with_the_option(text):
    with pytest.raises(ConfigError, match="--input"):
        parse_matrix(text, "--input")


def test_tensors_of_whole_numbers_give_the_fractions_back():
    matrix = parse_matrix("1/3 1/2; 0.25 -7", "--input")
    tensor, divisor = integers(matrix)
    assert divisor == 12 and tensor.tolist() == [[4, 6], [3, -84]]
    assert exactly(tensor, divisor) == matrix


def test_numbers_that_would_be_rounded_are_refused():
    long = parse_matrix("1/999983 1/999979 1/999961 1/7", "--input")
    with pytest.raises(ConfigError, match="fewer digits"):
        integers(long)
    with pytest.raises(ConfigError, match="fewer digits"):
        exactly(integers(parse_matrix("999999", "--input"))[0] * 1e11, 1)


def test_the_product_of_matrices():
    first, second = parse_matrix("1 2", "a"), parse_matrix("1/2; 1/4", "b")
    assert multiply(first, second) == ((Fraction(1),),)
