"""Numbers that remember how they follow from the sides of a map."""

import pytest

from fullconv.conversion.sides import COMPUTE, Formula, MapSide, Side, simplify, term_of

HEIGHT = MapSide(0, 2)


def value(term, height):
    """Compute a formula for a height: an oracle that walks it."""
    if isinstance(term, int):
        return term
    if isinstance(term, MapSide):
        return height
    return COMPUTE[term.operator](value(term.left, height), value(term.right, height))


@pytest.mark.parametrize(
    ("height", "other", "stride", "pad"),
    [(1, 500, 32, 0), (97, 1, 8, 100), (130, 131, 1, 7), (64, 33, 64, 199), (5, 8, 3, 1)],
)
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
