"""Tell whether two names, or two lists of classes, are the same."""

import unicodedata
from collections.abc import Mapping

from fullconv.data.labels.special_names import GROUND, is_background
from fullconv.errors import DataError


def comparable(name: str) -> str:
    """Return a name without what a reader may not see: case, blanks, and forms of Unicode."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in "".join(folded.split()) if unicodedata.category(c) != "Cf")


def check_same_numbers(
    names: Mapping[int, str], where: str, others: Mapping[int, str], elsewhere: str
) -> None:
    """Check that two declarations give a class the same number; one may have more classes.

    Args:
        names: value in masks -> name.
        where: the file that declares them.
        others: the same of another file.
        elsewhere: this file.

    Raises:
        DataError: a value has two names, or a name two values.
    """
    numbers = {_folded(name): value for value, name in others.items()}
    for value, name in names.items():
        second = numbers.get(_folded(name), value)
        if second == value and _folded(others.get(value, name)) == _folded(name):
            continue
        raise DataError(
            f"the value {value} is {name!r}, but {second} is {others[second]!r} in {elsewhere}",
            expected="one list of classes, or lists that agree",
            remedy="correct or remove one of them",
            where=where,
        )


def _folded(name: str) -> str:
    return GROUND[0] if is_background(name) else comparable(name)
