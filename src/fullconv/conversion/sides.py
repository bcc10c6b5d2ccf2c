"""Sides of feature maps as numbers with the formula that gives them for images of any size.

While a network runs on one image, its layers compute paddings, crops and sizes from the sides of
their inputs. A `Side` is such a number; what Python computes from it has a formula, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MapSide:
    """The side of a feature map.

    Attributes:
        index: of the map.
        dim: its dimension.
    """

    index: int
    dim: int


@dataclass(frozen=True)
class Formula:
    """What Python computed of two numbers.

    Attributes:
        operator: "+", "-", "*", "//" or "%".
        left: the first number.
        right: the second.
    """

    operator: str
    left: "Term"
    right: "Term"


Term = int | MapSide | Formula
"""A number for images of any size."""

COMPUTE: dict[str, Callable[[int, int], int]] = {
    "+": int.__add__,
    "-": int.__sub__,
    "*": int.__mul__,
    "//": int.__floordiv__,
    "%": int.__mod__,
}


class Side(int):
    """A number that follows from the sides of feature maps.

    Attributes:
        term: how it follows from them.
    """

    term: Term

    def __new__(cls, value: int, term: Term) -> "Side":
        """Return the number `value`, which `term` gives for the image that is being run."""
        made = super().__new__(cls, value)
        made.term = term
        return made

    def __add__(self, other: int) -> Any:
        """Return the sum."""
        return _computed("+", self, other)

    def __radd__(self, other: int) -> Any:
        """Return the sum."""
        return _computed("+", other, self)

    def __sub__(self, other: int) -> Any:
        """Return the difference."""
        return _computed("-", self, other)

    def __rsub__(self, other: int) -> Any:
        """Return the difference."""
        return _computed("-", other, self)

    def __mul__(self, other: int) -> Any:
        """Return the product."""
        return _computed("*", self, other)

    def __rmul__(self, other: int) -> Any:
        """Return the product."""
        return _computed("*", other, self)

    def __floordiv__(self, other: int) -> Any:
        """Return the quotient, rounded down."""
        return _computed("//", self, other)

    def __rfloordiv__(self, other: int) -> Any:
        """Return the quotient, rounded down."""
        return _computed("//", other, self)

    def __mod__(self, other: int) -> Any:
        """Return the remainder, with the sign of the divisor."""
        return _computed("%", self, other)

    def __rmod__(self, other: int) -> Any:
        """Return the remainder, with the sign of the divisor."""
        return _computed("%", other, self)

    def __neg__(self) -> Any:
        """Return the number with the other sign."""
        return _computed("-", 0, self)


def term_of(number: int) -> Term:
    """Return the formula of a number; of a plain one, the number itself."""
    return number.term if isinstance(number, Side) else int(number)


def simplify(term: Term, known: Callable[[MapSide], int | None]) -> Term:
    """Return a formula with its known sides as numbers, computed as far as they give one.

    Args:
        term: the formula.
        known: returns a side that is the same for all images, or None.
    """
    if isinstance(term, MapSide):
        side = known(term)
        return term if side is None else side
    if not isinstance(term, Formula):
        return term
    left, right = simplify(term.left, known), simplify(term.right, known)
    if isinstance(left, int) and isinstance(right, int):
        return COMPUTE[term.operator](left, right)
    neutral = {"+": 0, "-": 0, "*": 1, "//": 1}.get(term.operator)
    if right == neutral and neutral is not None:
        return left
    if left == neutral and term.operator in "+*":
        return right
    return Formula(term.operator, left, right)


def _computed(operator: str, left: Any, right: Any) -> Any:
    if not isinstance(left, int) or not isinstance(right, int):
        return NotImplemented
    value = COMPUTE[operator](int(left), int(right))
    return Side(value, Formula(operator, term_of(left), term_of(right)))
