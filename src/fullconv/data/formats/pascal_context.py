"""PASCAL-Context (Mottaghi et al., 2014): VOC 2010 with every pixel named, in its 59-class task.

Two protocols have this name, 4 to 5 points of mean IoU apart. Of 459 names 59 are classes; all
other pixels are void in one (pascal_context), and a class "background" in the other
(pascal_context60), which the FCN authors trained and evaluated.
"""

import re
from functools import partial
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.stems import (
    IMAGES,
    add_stems,
    files_by_stem,
    unknown_layout,
)
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.labels.masks import MaskTable, read_pair
from fullconv.data.labels.tables import LabelTable
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, voc_palette
from fullconv.io.text import read_utf8
from fullconv.io.visible import visible

# Names that differ between 59_labels.txt and labels.txt.
_SPELLED = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}


def scan(source: str, background: bool = False) -> Inventory:
    """List PASCAL-Context.

    The folder has trainval/*.mat, labels.txt and 59_labels.txt; the photos are in JPEGImages or
    VOC2010/JPEGImages in it or beside it. "train" and "val" are VOC 2010's lists for detection, as
    far as there are masks; a list NAME.txt in the folder is a split too.

    Args:
        source: the folder.
        background: whether everything outside the 59 classes is class 0 instead of void.

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = Path(source)
    voc = _voc(folder)
    if not any(visible(folder / "trainval", "*.mat")) or voc is None:
        expected = (
            "trainval/*.mat, labels.txt, 59_labels.txt, and VOC2010/JPEGImages in or beside it"
        )
        raise unknown_layout(folder, "pascal_context", expected)
    classes, labels = _classes(folder, background)
    table, palette = MaskTable(labels), voc_palette(len(classes))
    layout = "pascal_context60" if background else "pascal_context"
    inventory = Inventory(folder, layout, lambda masks, read: (classes, palette, table))
    inventory.declared = len(classes)
    inventory.read = partial(read_pair, table=table, raw=mat_raw("LabelMap"))
    masks = files_by_stem(inventory, folder / "trainval", (".mat",))
    images = files_by_stem(inventory, voc / "JPEGImages", IMAGES)
    inventory.no_samples = [*images.values()]  # most photos of VOC 2010 are of other tasks
    own = find_lists(folder, ("",), any_name=True)
    main = find_lists(voc, ("ImageSets/Main",))
    main = {name: main[name] for name in ("train", "val", "trainval") if name in main}
    lists = inventory.read_splits(main | own)
    # VOC's lists name photos without a mask; the folder's own lists must be complete.
    add_stems(inventory, images, masks, lists, partial=main.keys() - own.keys())
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds the two lists of names and trainval/."""
    files = ("labels.txt", "59_labels.txt")
    return (folder / "trainval").is_dir() and all((folder / name).is_file() for name in files)


def _classes(folder: Path, background: bool) -> tuple[tuple[str, ...], LabelTable]:
    numbers = _names(folder / "labels.txt")
    wanted = _names(folder / "59_labels.txt")
    first = ("background",) if background else ()
    classes = (*first, *wanted.values())
    number = {name: value for value, name in numbers.items()}
    mapping = dict.fromkeys((0, *numbers), 0 if background else VOID)
    for label, name in enumerate(wanted.values(), len(first)):
        value = number.get(name, number.get(_SPELLED.get(name, "")))
        if value is None:
            raise DataError(f"{folder / 'labels.txt'} has no {name!r}, which 59_labels.txt names")
        mapping[value] = label
    return classes, LabelTable(classes, mapping, "labels.txt must name every value in the masks")


def _names(path: Path) -> dict[int, str]:
    """Read lines "12: name" without spaces in names, in which the two files differ."""
    if not path.is_file():
        raise DataError(
            "there is no such file",
            remedy="it comes with PASCAL-Context",
            where=path,
        )
    names = {}
    for line in read_utf8(path).splitlines():
        number, colon, name = line.partition(":")
        if line.strip() and not (colon and re.fullmatch(r"\s*[0-9]{1,4}\s*", number)):
            raise DataError(
                f"{line!r}",
                expected='"12: name"',
                where=path,
            )
        if line.strip():
            names[int(number)] = name.replace(" ", "")
    return names


def _voc(folder: Path) -> Path | None:
    places = (".", "VOC2010", "VOCdevkit/VOC2010", "../VOC2010", "../VOCdevkit/VOC2010")
    found = [folder / place for place in places if (folder / place / "JPEGImages").is_dir()]
    return found[0] if found else None


for name, background, what in (
    ("pascal_context", False, "the 59 classes, all else void"),
    ("pascal_context60", True, "the 59 classes and background (FCN's protocol)"),
):
    formats.register(name)(
        Format(
            summary=f"trainval/*.mat with labels.txt and 59_labels.txt: {what}",
            scan=partial(scan, background=background),
            recognises=(lambda folder: False) if background else recognises,
        )
    )
