"""PASCAL-Context (Mottaghi et al., 2014): VOC 2010 with every pixel named, in its 59-class task.

Two protocols go by this name, 4 to 5 points of mean IU apart. Of 459 names 59 are classes; all
other pixels are void in the one (pascal_context), and a class "background" in the other
(pascal_context60), which is what the FCN authors trained and scored.
"""

from functools import partial
from pathlib import Path

from fullconv.data.discovery.lists import PHOTOS, by_stem, chosen_list, joined, listed, nothing
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, voc_palette
from fullconv.io.text import text_of

# What 59_labels.txt calls otherwise than labels.txt.
_SPELLED = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}


def open_context(source: str, split: str | None, background: bool = False) -> Data:
    """Open PASCAL-Context.

    Args:
        source: the folder with trainval/*.mat, labels.txt and 59_labels.txt; the photos are in
            JPEGImages or VOC2010/JPEGImages in it or beside it.
        split: "train" or "val", which are VOC 2010's lists for detection as far as there are
            masks, or a list NAME.txt in the folder; None for everything.
        background: whether all that is none of the 59 is class 0, instead of void.

    Raises:
        DataError: the layout, a file or the split is not there.
        MissingExtraError: scipy is needed.
    """
    folder = Path(source)
    masks = by_stem(folder / "trainval", (".mat",))
    voc = _voc(folder)
    if not masks or voc is None:
        expected = (
            "trainval/*.mat, labels.txt, 59_labels.txt, and VOC2010/JPEGImages in or beside it"
        )
        raise nothing(folder, "pascal_context", expected)
    photos = by_stem(voc / "JPEGImages", PHOTOS)
    if split is None:
        pairs = joined(sorted(masks), photos, masks, folder)
    else:
        path = _list(folder, voc, split)
        named = listed(path)
        # VOC's lists hold photos that nobody labelled; ours must be complete.
        kept = named if path.parent == folder else [stem for stem in named if stem in masks]
        pairs = joined(kept, photos, masks, path)
    classes, table = _classes(folder, background)
    palette = voc_palette(len(classes))
    return as_data(source, split, pairs, classes, palette, MaskTable(table), mat_raw("LabelMap"))


def recognises(folder: Path) -> bool:
    """Whether it holds the two lists of names and trainval/."""
    files = ("labels.txt", "59_labels.txt")
    return (folder / "trainval").is_dir() and all((folder / name).is_file() for name in files)


def _classes(folder: Path, background: bool) -> tuple[tuple[str, ...], LabelTable]:
    every = _names(folder / "labels.txt")
    wanted = _names(folder / "59_labels.txt")
    first = ("background",) if background else ()
    classes = (*first, *wanted.values())
    number = {name: value for value, name in every.items()}
    mapping = dict.fromkeys((0, *every), 0 if background else VOID)
    for label, name in enumerate(wanted.values(), len(first)):
        value = number.get(name, number.get(_SPELLED.get(name, "")))
        if value is None:
            raise DataError(f"{folder / 'labels.txt'} has no {name!r}, which 59_labels.txt names")
        mapping[value] = label
    return classes, LabelTable(classes, mapping, "labels.txt must name every value in the masks")


def _names(path: Path) -> dict[int, str]:
    """Lines "12: name"; spaces in names do not count, as the two files differ in them."""
    if not path.is_file():
        raise DataError(
            "there is no such file",
            remedy="it comes with PASCAL-Context",
            where=path,
        )
    names = {}
    for line in text_of(path).splitlines():
        number, colon, name = line.partition(":")
        if line.strip() and not (colon and number.strip().isdigit()):
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


def _list(folder: Path, voc: Path, split: str) -> Path:
    main = {path.stem: path for path in (voc / "ImageSets" / "Main").glob("*.txt")}
    whole = {name: main[name] for name in ("train", "val", "trainval") if name in main}
    own = {path.stem: path for path in folder.glob("*.txt") if "labels" not in path.stem}
    return chosen_list(whole | own, split, folder)


for name, background, what in (
    ("pascal_context", False, "the 59 classes, all else void"),
    ("pascal_context60", True, "the 59 classes and background (FCN's protocol)"),
):
    formats.register(name)(
        Format(
            summary=f"trainval/*.mat with labels.txt and 59_labels.txt: {what}",
            open=partial(open_context, background=background),
            recognises=(lambda folder: False) if background else recognises,
        )
    )
