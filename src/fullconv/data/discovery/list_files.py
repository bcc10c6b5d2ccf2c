"""Find the split lists of a data set, and tell which split a name means: one rule for all formats.

A list is called as its split, with or without a word for "list": train.txt, train_list.txt,
trainlist.txt, list_train.txt, valid.lst, train2017.txt.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from fullconv.data.discovery.files import LIST_SUFFIXES
from fullconv.io.visible import visible

SPLITS = ("train", "val", "test")
"""The usual splits, in the order in which they are listed."""

_SPLIT_NAMES = {
    "train": ("train", "training", "training_data", "train_data", "trn"),
    "val": ("val", "valid", "validation", "validation_data", "valid_data", "val_data", "dev"),
    "test": ("test", "testing", "test_data"),
    "trainval": ("trainval",),
}
WHOLE = ("default", "all", "full", "everything", "trainval")
"""Names of lists of all samples, which are divided if no list is called train."""

LIST_FOLDERS = ("", "splits", "ImageSets/Segmentation", "ImageSets", "ImageSets/Main", "lists")
_USUAL_ONLY = ("", "ImageSets/Main")  # where other text files, or lists per class, are usual too

_NOT_LISTS = (
    *("classes", "class_names", "class_dict", "labels", "59_labels", "labelmap", "label_colors"),
    *("palette", "readme", "license", "notice", "requirements", "objectinfo150"),
)
_WORD = (
    r"(?:file|image|img|photo)?[_\-. ]*"
    r"(?:lists?|splits?|sets?|files?|filenames?|images?|imgs?|photos?|names?|ids?|paths?|pairs?)"
)
_TAIL = re.compile(rf"[_\-. ]*{_WORD}$", re.IGNORECASE)
_HEAD = re.compile(rf"^{_WORD}[_\-. ]+", re.IGNORECASE)
_YEAR = re.compile(r"[_\-. ]*(?:19|20)\d\d$")


def standard_split(name: str) -> str | None:
    """Return the split that a folder or list of this name means; None if it is not a usual name."""
    return next((split for split, names in _SPLIT_NAMES.items() if name.casefold() in names), None)


def folder_split(name: str) -> str | None:
    """Return the split that a folder means, with or without a year ("val2017"); None if none."""
    return standard_split(name) or standard_split(_YEAR.sub("", name))


def split_from_name(name: str) -> str | None:
    """Return the split that a name means, with or without a number ("Train", "val2017")."""
    return standard_split(re.sub(r"[\W_]*\d*$", "", name))


def list_split(stem: str) -> str | None:
    """Return the split that the list of this name means ("train_list"); None if no usual one."""
    ways = (stem, _YEAR.sub("", stem), _TAIL.sub("", stem), _HEAD.sub("", stem))
    return next((split for way in ways if (split := standard_split(way))), None)


def find_lists(
    folder: Path, places: Sequence[str] = LIST_FOLDERS, any_name: bool = False
) -> dict[str, Path]:
    """Return the split lists of a data set; split -> file, of which the first place wins.

    A list whose usual split is taken by another one of the same folder keeps its own name.

    Args:
        folder: the data set.
        places: the folders in it to look in.
        any_name: whether every text file is a list, also in the data set's folder itself; else
            only those with a usual name are there.
    """
    lists: dict[str, Path] = {}
    for place in places:
        found = _lists_in(folder / place, any_name or place not in _USUAL_ONLY)
        for split, path in found.items():
            lists.setdefault(split, path)
    return lists


def _lists_in(folder: Path, any_name: bool) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for suffix in LIST_SUFFIXES:
        for path in sorted(visible(folder)):
            table = suffix == ".csv" and not list_split(path.stem)  # of classes, metrics, ...
            known = path.suffix.lower() == suffix and path.stem.casefold() not in _NOT_LISTS
            if known and not table:
                files.setdefault(path.stem, path)
    lists = {stem: path for stem, path in files.items() if stem == standard_split(stem)}
    for stem, path in files.items():
        split = list_split(stem)
        if split and lists.setdefault(split, path) == path:
            continue
        if split or any_name:
            lists[stem] = path
    return lists
