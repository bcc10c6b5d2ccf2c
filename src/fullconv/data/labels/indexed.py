"""Compare the palettes of indexed masks with the declared colours, which decide.

A graphics program that saves a mask again keeps its colours and may number them anew, so the
numbers of the file mean something only while its palette agrees with the declared colours.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.errors import LabelError
from fullconv.io.palettes import VOID, Color, voc_palette

_STANDARD = voc_palette()


def used_values(values: Integer[np.ndarray, "*size"]) -> list[int]:
    """Return the different values of a mask, in order."""
    if values.dtype == np.uint8:
        found: list[int] = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
        return found
    return list(np.unique(values).tolist())


def shown_colors(used: Sequence[int], palette: Sequence[Color | None]) -> dict[int, Color | None]:
    """Return the colour of each used value; None for one without a visible colour.

    The palette may lack a colour, or have a transparent one.
    """
    return {value: palette[value] if value < len(palette) else None for value in used}


def contradicts(
    shown: Mapping[int, Color | None], numbers: Mapping[int, int], colors: Mapping[Color, int]
) -> bool:
    """Return whether a palette contradicts the declared colours, read by its numbers.

    A palette without a declared colour says nothing if it is grey or VOC's, which many programs
    write whatever the classes are. A value without a visible colour says nothing either.

    Args:
        shown: used value -> its colour in the palette.
        numbers: value -> label.
        colors: declared colour -> label.
    """
    visible = {value: color for value, color in shown.items() if color is not None}
    unknown = []
    for value, color in visible.items():
        if color in colors:
            if colors[color] != numbers.get(value):
                return True
        elif numbers.get(value, VOID) in {*colors.values()} - {VOID}:
            unknown.append(value)
    return bool(unknown) and not _says_nothing(visible)


def are_declared(shown: Mapping[int, Color | None], colors: Mapping[Color, int]) -> bool:
    """Return whether every colour that a mask shows is declared."""
    return all(color in colors for color in shown.values())


def check_visible(shown: Mapping[int, Color | None], where: str) -> None:
    """Check that every used value has a visible colour.

    Raises:
        LabelError: the palette lacks one, or has a transparent one.
    """
    hidden = [value for value, color in shown.items() if color is None]
    if hidden:
        raise LabelError(
            f"the value {hidden[0]} has no visible colour in the file's palette, but its colours "
            "decide, since its numbers do not agree with the declared ones",
            remedy="save the mask without transparency",
            where=where,
        )


def paint(
    values: Integer[np.ndarray, "H W"], shown: Mapping[int, Color | None]
) -> UInt8[np.ndarray, "H W 3"]:
    """Return the colours of an indexed mask, all of which are visible."""
    table = np.zeros((max(shown, default=0) + 1, 3), np.uint8)
    for value, color in shown.items():
        table[value] = color or 0
    return np.asarray(table[values])


def undeclared(
    shown: Mapping[int, Color | None], colors: Mapping[Color, int], where: str
) -> LabelError:
    """Return the error for a palette with colours that are not declared."""
    odd = [(value, color) for value, color in shown.items() if color not in colors]
    named = ", ".join(f"{value} as {'#' + bytes(color or ()).hex()}" for value, color in odd[:4])
    return LabelError(
        f"its palette shows the value {named}{', ...' if len(odd) > 4 else ''}, which is not the "
        "colour of a declared class",
        remedy="correct the colours in the class declaration, or remove them there if the values "
        "of the masks are right",
        where=where,
    )


def _says_nothing(shown: Mapping[int, Color]) -> bool:
    colors = [color for _, color in sorted(shown.items())]
    if all(value < VOID + 1 and color == _STANDARD[value] for value, color in shown.items()):
        return True
    grey = all(len({*color}) == 1 for color in colors)
    return grey and all(one[0] < other[0] for one, other in pairwise(colors))
