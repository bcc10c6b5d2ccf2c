"""Detect how the masks of a data set encode its classes."""

import os
from collections.abc import Callable, Iterable, Sequence, Set
from hashlib import sha256
from pathlib import Path

import numpy as np

from fullconv.data.labels.classes import ClassList, Entry, declare
from fullconv.data.labels.ignore_value import Meaning, greys_are_colors, meaning_of_255, open_255
from fullconv.data.labels.masks import MaskTable, one_channel, read_raw
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, VOID_COLOR, Color

SAMPLED = 16  # masks that are read to find out what 255 means, if the first do not tell
BINARY = ("background", "foreground")
_MAX_DERIVED = 64  # classes of masks without a class list; more values are noise

Read = Callable[[Path], np.ndarray]


def resolve(
    declared: ClassList | None, masks: Sequence[Path], read: Read = read_raw
) -> tuple[ClassList, MaskTable]:
    """Return the classes of a data set, and the table of its masks.

    What 255 means is decided once for the data set: by the declaration, or by a sample of masks
    (see `ignore_value`). A later mask that contradicts the sample is an error when it is read.

    Args:
        declared: declared classes; None to derive them from the values of all masks.
        masks: all masks of the data set: one table serves all splits.
        read: reads the raw values of a mask.

    Raises:
        DataError: the meaning of 255 is open, or no classes are declared and they cannot be
            derived from the masks.
    """
    if declared is None:
        values = observe(masks, read)
        declared = derive_classes(values)
        observed = [*values.values()]
    else:
        observed = sample(declared, masks, read)
        if ordered := _values_in_order(declared, observed, masks, read):
            return _matched(declared, ordered)
    colors = _colors(declared)
    numbers = dict(declared.mapping)
    if not declared.says_255:
        del numbers[VOID]
    table = ColorTable(declared.classes, colors) if declared.colors else None
    if greys_are_colors(set().union(*observed), numbers, declared.colors):
        indices = LabelTable(declared.classes, numbers)
        return declared, MaskTable(
            indices, table, True, True, "a colour, as the others in the masks"
        )
    meaning = _meaning(declared, numbers, observed)
    indices = LabelTable(declared.classes, meaning.numbers, _remedy(declared, meaning))
    return declared, MaskTable(indices, table, bool(declared.colors), rule=meaning.rule)


def _values_in_order(
    declared: ClassList, observed: Sequence[Set[int]], masks: Iterable[Path], read: Read
) -> list[int]:
    """Return the values of all masks, ascending, if they are matched with the names in order.

    They are if only names are declared, the masks hold as many values, and no value but 0 could be
    the place of a name: 0, 128 and 255, or 10 and 20, for as many names. [] if not.

    Raises:
        DataError: there is one value more than there are names, and it is 255.
    """
    places = {*range(1, len(declared.classes))}
    found = set().union(*observed)
    if not declared.counted or found <= {0, VOID} or found & places:
        return []
    try:
        found = set().union(*observe(masks, read).values())
    except DataError:  # a damaged or coloured mask is an error of its own
        return []
    if found & places:
        return []
    if VOID in found and len(found) == len(declared.classes) + 1:
        raise open_255(found, len(declared.classes), declared.where)
    return sorted(found) if len(found) == len(declared.classes) else []


def _matched(declared: ClassList, values: Sequence[int]) -> tuple[ClassList, MaskTable]:
    """Return the classes with these values, in order, and the table of the masks."""
    named = [*zip(values, declared.classes, strict=True)]
    entries = [Entry(value, name) for value, name in named]
    matched = declare(entries, declared.where)
    shown = ", ".join(f"{value} {name}" for value, name in named[:12])
    note = (
        f"the {len(named)} names are matched in order with the {len(named)} values of the masks: "
        f"{shown}{', ...' if len(named) > 12 else ''}"
    )
    indices = LabelTable(matched.classes, dict(zip(values, range(len(values)), strict=True)))
    rule = "not in the masks, and not declared"
    if VOID in values:
        rule = f"the class {named[-1][1]!r}: names and values are matched in order"
    return matched, MaskTable(indices, rule=rule, note=note)


def observe(masks: Iterable[Path], read: Read = read_raw) -> dict[Path, set[int]]:
    """Return the values of each mask that holds numbers, not colours."""
    return {path: set(np.unique(one_channel(read(path), str(path))).tolist()) for path in masks}


def sample(declared: ClassList, masks: Sequence[Path], read: Read = read_raw) -> list[set[int]]:
    """Return the values of a few masks, which decide what 255 means.

    Masks are read in the order of their names' SHA-256: until one decides, at least `SAMPLED` of
    those with a value other than 0. A mask that cannot be read is an error when its sample is read,
    and colours say nothing about 255.

    Raises:
        DataError: no mask can be read.
    """
    greys = any(len({*color}) == 1 for color in declared.colors)
    if declared.says_255 and not greys:
        return []
    numbers = {value: label for value, label in declared.mapping.items() if value != VOID}
    observed: list[set[int]] = []
    errors: list[DataError] = []
    ranked = sorted(masks, key=lambda path: sha256(os.fsencode(path.name)).digest())
    for number, path in enumerate(ranked, 1):
        try:
            values = _values(path, read, bool(declared.colors))
        except DataError as error:
            errors.append(error)
            continue
        if values is not None:
            observed.append(values)
        if _decides(observed[-1:], numbers, declared) and not greys:
            break
        if number >= SAMPLED and (not observed or set().union(*observed) != {0}):
            break
    if errors and len(errors) == len(ranked):
        raise errors[0]
    return observed


def derive_classes(masks: dict[Path, set[int]]) -> ClassList:
    """Derive undeclared classes from the values of all masks.

    Raises:
        DataError: the values are not 0, 1, 2, ... (and 255), nor 0 and 255.
    """
    first: dict[int, Path] = {}
    for path, found in masks.items():
        for value in found:
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


def _colors(declared: ClassList) -> dict[Color, int]:
    """Return the declared colours, and that in which fullconv writes ignored pixels."""
    ignored = {VOID_COLOR: VOID} if declared.mapping.get(VOID) == VOID else {}
    return ignored | dict(declared.colors)


def _meaning(declared: ClassList, numbers: dict[int, int], observed: list[set[int]]) -> Meaning:
    if not declared.says_255:
        return meaning_of_255(numbers, declared.classes, observed, declared.where)
    label = numbers[VOID]
    what = "ignored" if label == VOID else f"the class {declared.classes[label]!r}"
    return Meaning(numbers, f"{what}, as declared", sure=True)


def _decides(observed: list[set[int]], numbers: dict[int, int], declared: ClassList) -> bool:
    try:
        return meaning_of_255(numbers, declared.classes, observed, "").sure
    except DataError:  # other masks may tell
        return False


def _remedy(declared: ClassList, meaning: Meaning) -> str:
    if VOID not in meaning.numbers:
        return (
            "number the lines of classes.txt by the values of the masks; if 255 occurs, add "
            '"255 NAME" for a class or "255 void" for ignored pixels'
        )
    if meaning.numbers[VOID] != VOID and not declared.says_255:
        return (
            "the masks sampled to detect the encoding have only the values 0 and 255, so these are "
            'the two classes; if 255 is ignored, add the line "255 void" to classes.txt and number '
            "the classes"
        )
    return LabelTable.remedy


def _values(path: Path, read: Read, colored: bool) -> set[int] | None:
    """Return the values of a mask; None if it holds colours.

    `colored` is whether colours are declared: then grey ones are colours, too.
    """
    raw = read(path)
    if raw.ndim == 3 and (colored or (raw != raw[..., :1]).any()):
        return None
    return set(np.unique(one_channel(raw, str(path))).tolist())


def _not_contiguous(values: Sequence[int], first: dict[int, Path]) -> DataError:
    shown = ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
    lines = " / ".join(f"{value} NAME" for value in values[:4] if value != VOID) or "0 NAME"
    if VOID in values:
        lines += ' / 255 NAME, or "255 void" if 255 is ignored'
    where = first[values[-1]] if values else "the masks"
    number = f"{len(values)} value{'s' * (len(values) != 1)}"
    return DataError(
        f"no classes are declared, and the masks hold {number}: {shown} (the last in {where})",
        expected="0, 1, 2, ... without a gap",
        remedy=f"write classes.txt with one line per value, e.g. {lines}; fullconv check DATA "
        "--write-classes writes it, with names to be edited",
    )
