"""Find names of classes that hold a number, a colour, a comment or a mark that was not understood.

A list of classes has no fixed form, so a mark such as an arrow or a bracket most likely belongs to
a form that is not read. As a part of the name it would be silently wrong.
"""

import re
from collections.abc import Sequence

from fullconv.io.palettes import VOID

_FOREIGN = {
    "a separator that is not read": r"[/;%!=>|,:^\\].*|.*[,;:=|\\]|.*([-=]>|→|⇒|\\t).*",
    "a comment": r".*\s(#|//).*",
    "a number that is not read": (
        r"[(\[{<]\s*[\d.,\s]+[)\]}>].*|.*[(\[{<]\s*\d+\s*[)\]}>]|.*(\d\s*[:=|]|[:=|]\s*\d).*"
    ),
    "an open bracket": r"[^)]*\([^)]*|[^\]]*\[[^\]]*|[^}]*\{[^}]*|[^(]*\).*|[^\[]*\].*|[^{]*\}.*",
    "quotation marks": r"([\"'`]).*\1|[\u201c\u201e].*[\u201c\u201d]|\u00ab.*\u00bb|\u2018.*\u2019",
    "a character that is not visible": ".*[\u200b\u2060\ufeff].*",
}
_MAX_NAME = 500  # characters: the expressions above take time in the square of them
_COLOR_WORD = re.compile(r"(?:.*[\s:,;=(])?(?:rgba?|bgra?|hsv|hsl)", re.IGNORECASE | re.DOTALL)


def foreign_part(name: str, colored: bool) -> str:
    """Return what in a name was most likely not meant as a part of it; "" if there is nothing.

    Args:
        name: the name that was read from a line.
        colored: whether three numbers followed it.
    """
    if len(name) > _MAX_NAME:
        return f"more than {_MAX_NAME} characters"
    if not name[:1].isascii() and name[:1].isdigit():
        return "a number in other digits than 0 to 9"
    if colored and _COLOR_WORD.fullmatch(name):
        return "the order of a colour's channels"
    found = (what for what, mark in _FOREIGN.items() if re.fullmatch(mark, name, re.DOTALL))
    return next(found, "")


def numbers_inside(names: Sequence[str]) -> bool:
    """Return whether all names hold a number that is most likely a value other than their place.

    "tree_1", "road_0" do; "L1", "L2" do not, since these differ in their number only.
    """
    runs = [[*re.finditer("[0-9]{1,9}", name)] for name in names]
    if len(names) < 2 or not all(runs):
        return False
    for place in (0, -1):
        found = [run[place] for run in runs]
        numbers = [int(match[0]) for match in found]
        others = {
            name[: match.start()] + name[match.end() :]
            for name, match in zip(names, found, strict=True)
        }
        count = len(names)
        usual = sorted(numbers) in ([*range(count)], [*range(1, count + 1)], [0, VOID])
        if usual and len(others) > 1 and numbers != [*range(count)]:
            return True
    return False
