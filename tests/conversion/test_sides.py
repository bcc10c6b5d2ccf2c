"""Numbers that remember how they follow from the sides of a map."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.conversion.sides import COMPUTE, Formula, MapSide, Side, simplify, term_of

HEIGHT = MapSide(0, 2)


def value(term, height):
    """Compute a formula for a height: an oracle that walks it."""
    if isinstance(term, int):
        return term
    if isinstance(term, MapSide):
        return height
    return COMPUTE[term.operator](value(term.left, height), value(term.right, height))


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 64), st.integers(0, 200))
def test_what_python_computes_for_one_height_holds_for_another(height, other, stride, pad):
    def padded(side):
        return (pad + side + pad) + -(pad + side + pad) % stride - (side - 3) // stride * 2

    found = padded(Side(height, HEIGHT))
    assert found == padded(height)
    assert value(term_of(found), other) == padded(other)


def test_known_sides_become_numbers():
    term = term_of(Side(7, HEIGHT) * 2 + 0 - 3)
    assert simplify(term, {HEIGHT: 7}.get) == 11
    assert simplify(term, {}.get) == Formula("-", Formula("*", HEIGHT, 2), 3)


@pytest.mark.parametrize("number", [int(Side(7, HEIGHT)), Side(7, HEIGHT) / 2])
def test_other_numbers_have_no_formula(number):
    assert not isinstance(number, Side)
