"""Decide what 255 means: the one rule for masks and predictions of all formats.

255 is the ignore label where masks hold class numbers, and a class where they hold only 0 and 255
for two classes. A declaration decides. Where none of this holds, the meaning is open, which is an
error: labels would be lost or inverted in silence.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass

from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Color

OPEN = "open-255"
"""The code of the error for an open meaning."""


@dataclass(frozen=True)
class Meaning:
    """How the numbers of masks are read.

    Attributes:
        numbers: value -> label or 255.
        rule: what 255 means and why, for users.
        sure: whether another mask cannot change it.
    """

    numbers: Mapping[int, int]
    rule: str
    sure: bool = False


def meaning_of_255(
    numbers: Mapping[int, int], classes: Sequence[str], masks: Collection[Set[int]], where: str
) -> Meaning:
    """Return how masks are read whose class numbers are declared and whose 255 is not.

    Args:
        numbers: declared value -> label or 255, without 255.
        classes: class names.
        masks: the values of each mask; those in colours are left out.
        where: the declaration, for messages.

    Raises:
        DataError: the meaning of 255 is open.
    """
    ignored = {**numbers, VOID: VOID}
    plain = _are_counted(numbers)
    beside = any(VOID in mask and _numbers(mask, numbers) for mask in masks)
    numbered = any(_numbers(mask, numbers) for mask in masks)
    if plain and (beside or (numbered and len(classes) > 2)):
        return Meaning(ignored, "ignored, as in masks of class numbers", sure=True)
    if not any(VOID in mask for mask in masks):
        return Meaning(numbers, "not in the masks that were sampled, and not declared")
    values = set().union(*masks)
    if dict(numbers) == {0: 0, 1: 1} and values == {0, VOID}:
        rule = f"the class {classes[1]!r}, since the masks hold only 0 and 255"
        return Meaning({0: 0, VOID: 1}, rule)
    if not values <= {*numbers, 0, VOID}:  # an error of its own, when such a mask is read
        return Meaning(numbers, "open, since the masks hold undeclared values")
    raise open_255(values, len(classes), where)


def open_255(values: Set[int], classes: int, where: str) -> DataError:
    """Return the error for an open meaning of 255."""
    listed = [*map(str, sorted(values)[:12])]
    shown = " and ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else listed[0]
    number = f"{classes} class{'es' * (classes != 1)}"
    return DataError(
        f"the masks hold {'only ' * (len(values) < 3)}{shown} for {number}, so it is open whether "
        "255 is a class or ignored",
        expected="a declaration of 255",
        remedy='number the lines of classes.txt by the values of the masks, with "255 NAME" for a '
        'class or "255 void" for ignored pixels',
        where=where,
        code=OPEN,
    )


def greys_are_colors(
    values: Set[int], numbers: Mapping[int, int], colors: Mapping[Color, int]
) -> bool:
    """Return whether the values of grey masks can only be declared colours, such as #ffffff."""
    greys = {color[0] for color in colors if len({*color}) == 1}
    return bool(values) and values <= greys and not values <= {*numbers}


def _numbers(mask: Set[int], numbers: Mapping[int, int]) -> Set[int]:
    """Return the values of a mask that can only be class numbers."""
    return {value for value in mask if value not in (0, VOID) and value in numbers}


def _are_counted(numbers: Mapping[int, int]) -> bool:
    """Return whether the values are 0, 1, 2, ... or 1, 2, 3, ..., not grey levels or other ids."""
    values = sorted(numbers)
    return bool(values) and values[0] in (0, 1) and values == [*range(values[0], values[-1] + 1)]
