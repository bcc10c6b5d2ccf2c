"""How the masks of a data set show its classes: found out once, then it is a table."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from fullconv.data.labels.classes import ClassList, Entry, declare
from fullconv.data.labels.masks import MaskTable, one_channel, picture
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.errors import DataError
from fullconv.io.palettes import VOID

SAMPLED = 16  # masks that are looked at to tell 0/255 from class numbers
BINARY = ("background", "foreground")
_MOST_DERIVED = 64  # more values than this in masks without a class list: no masks, or JPEG noise


def resolve(
    declared: ClassList | None,
    masks: Sequence[Path],
    read: Callable[[Path], np.ndarray] = picture,
) -> tuple[ClassList, MaskTable]:
    """The classes of a data set, and the table of its masks.

    Args:
        declared: what the data set says; None: the classes are what is found in all the masks.
        masks: all masks of the data set, whatever the split: every split has one table.
        read: the raw values of a mask.

    Raises:
        DataError: no classes are declared, and the masks do not tell them.
    """
    if declared is None:
        declared = derived(masks, read)
    mapping = dict(declared.mapping)
    remedy = LabelTable.remedy
    if len(declared.classes) == 2 and not declared.says_255 and is_binary(masks, read):
        mapping = {0: 0, 255: 1}
        remedy = (
            "the masks looked at first hold 0 and 255 only, which was taken for the two classes; "
            'if 255 is void, write the line "255 void" and numbers before the classes into '
            "classes.txt"
        )
    indices = LabelTable(declared.classes, mapping, remedy)
    colors = ColorTable(declared.classes, declared.colors) if declared.colors else None
    return declared, MaskTable(indices, colors)


def is_binary(masks: Sequence[Path], read: Callable[[Path], np.ndarray] = picture) -> bool:
    """Whether masks of two classes hold 0 and 255 rather than 0 and 1.

    Looks at `SAMPLED` masks in the order of their names' SHA-256, and on until a mask tells: one
    that is all 0 says nothing.
    """
    ranked = sorted(masks, key=lambda path: sha256(path.name.encode()).digest())
    seen: set[int] = set()
    for number, path in enumerate(ranked):
        seen |= _numbers(path, read(path))
        if not seen <= {0, VOID} or (number + 1 >= SAMPLED and seen == {0, VOID}):
            break
    return seen <= {0, VOID} and VOID in seen


def derived(masks: Sequence[Path], read: Callable[[Path], np.ndarray] = picture) -> ClassList:
    """Classes that nobody declared, out of the values of all masks.

    Raises:
        DataError: the values are not 0, 1, 2, ... (and 255), nor 0 and 255.
    """
    first: dict[int, Path] = {}
    for path in masks:
        for value in np.unique(one_channel(read(path), str(path))).tolist():
            first.setdefault(value, path)
    values = sorted(first)
    if values == [0, VOID]:
        return declare([Entry(number, name) for number, name in enumerate(BINARY)], "the masks")
    classes = [value for value in values if value != VOID]
    if classes != list(range(len(classes))) or not 1 <= len(classes) <= _MOST_DERIVED:
        raise _not_contiguous(values, first)
    return declare([Entry(value, f"class {value}") for value in classes], "the masks")


def no_jpeg(masks: Iterable[Path]) -> None:
    """Raise a DataError where a mask's name says that it is a JPEG."""
    lossy = [path for path in masks if path.suffix.lower() in (".jpg", ".jpeg")]
    if lossy:
        raise DataError(
            f"a mask as JPEG ({len(lossy)} in all), whose compression invents labels along every "
            "edge",
            expected="PNG",
            remedy="export the masks again without loss",
            where=lossy[0],
        )


def _numbers(path: Path, raw: np.ndarray) -> set[int]:
    if raw.ndim == 3 and (raw != raw[..., :1]).any():
        return set()  # in colours, which the colour table is for
    return set(np.unique(one_channel(raw, str(path))).tolist())


def _not_contiguous(values: Sequence[int], first: dict[int, Path]) -> DataError:
    shown = ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
    lines = " / ".join(f"{value} NAME" for value in values[:4] if value != VOID) or "0 NAME"
    where = first[values[-1]] if values else "the masks"
    return DataError(
        f"no classes are declared, and the masks hold {len(values)} values: {shown} (the last in "
        f"{where})",
        expected="0, 1, 2, ... without a gap",
        remedy=f"write classes.txt with one line a value, e.g. {lines}",
    )
