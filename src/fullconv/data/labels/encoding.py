"""Detect how the masks of a data set encode its classes."""

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from fullconv.data.labels.classes import ClassList, Entry, declare
from fullconv.data.labels.masks import MaskTable, one_channel, read_raw
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.errors import DataError
from fullconv.io.palettes import VOID

SAMPLED = 16  # masks that are read to distinguish 0/255 from class indices
BINARY = ("background", "foreground")
_MAX_DERIVED = 64  # classes of masks without a class list; more values are noise


def resolve(
    declared: ClassList | None,
    masks: Sequence[Path],
    read: Callable[[Path], np.ndarray] = read_raw,
) -> tuple[ClassList, MaskTable]:
    """Return the classes of a data set, and the table of its masks.

    Args:
        declared: declared classes; None to derive them from the values of all masks.
        masks: all masks of the data set: one table serves all splits.
        read: reads the raw values of a mask.

    Raises:
        DataError: no classes are declared, and they cannot be derived from the masks.
    """
    if declared is None:
        declared = derive_classes(masks, read)
    mapping = dict(declared.mapping)
    remedy = LabelTable.remedy
    if len(declared.classes) == 2 and not declared.says_255 and is_binary(masks, read):
        mapping = {0: 0, 255: 1}
        remedy = (
            "the masks sampled to detect the encoding have only the values 0 and 255, so these are "
            'the two classes; if 255 is ignored, add the line "255 void" to classes.txt and number '
            "the classes"
        )
    indices = LabelTable(declared.classes, mapping, remedy)
    colors = ColorTable(declared.classes, declared.colors) if declared.colors else None
    return declared, MaskTable(indices, colors)


def is_binary(masks: Sequence[Path], read: Callable[[Path], np.ndarray] = read_raw) -> bool:
    """Return whether masks of two classes have the values 0 and 255 instead of 0 and 1.

    Reads `SAMPLED` masks in the order of their names' SHA-256, and more until one has a value
    other than 0.
    """
    ranked = sorted(masks, key=lambda path: sha256(os.fsencode(path.name)).digest())
    seen: set[int] = set()
    for number, path in enumerate(ranked):
        seen |= _numbers(path, read(path))
        if not seen <= {0, VOID} or (number + 1 >= SAMPLED and seen == {0, VOID}):
            break
    return seen <= {0, VOID} and VOID in seen


def derive_classes(
    masks: Sequence[Path], read: Callable[[Path], np.ndarray] = read_raw
) -> ClassList:
    """Derive undeclared classes from the values of all masks.

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
    if classes != list(range(len(classes))) or not 1 <= len(classes) <= _MAX_DERIVED:
        raise _not_contiguous(values, first)
    return declare([Entry(value, f"class {value}") for value in classes], "the masks")


def refuse_jpeg(masks: Iterable[Path]) -> None:
    """Raise a DataError if a mask has the suffix of a JPEG file."""
    lossy = [path for path in masks if path.suffix.lower() in (".jpg", ".jpeg")]
    if lossy:
        raise DataError(
            f"a JPEG mask ({len(lossy)} in all), whose compression alters labels at every edge",
            expected="PNG",
            remedy="export the masks again as PNG",
            where=lossy[0],
        )


def _numbers(path: Path, raw: np.ndarray) -> set[int]:
    if raw.ndim == 3 and (raw != raw[..., :1]).any():
        return set()  # colours, which the colour table maps
    return set(np.unique(one_channel(raw, str(path))).tolist())


def _not_contiguous(values: Sequence[int], first: dict[int, Path]) -> DataError:
    shown = ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
    lines = " / ".join(f"{value} NAME" for value in values[:4] if value != VOID) or "0 NAME"
    where = first[values[-1]] if values else "the masks"
    return DataError(
        f"no classes are declared, and the masks hold {len(values)} values: {shown} (the last in "
        f"{where})",
        expected="0, 1, 2, ... without a gap",
        remedy=f"write classes.txt with one line per value, e.g. {lines}",
    )
