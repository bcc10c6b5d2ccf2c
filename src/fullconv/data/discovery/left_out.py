"""Files of a data set that are not read, so that nothing is left out silently.

These problems are not fatal: `check` reports them as warnings, and `train` prints them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from fullconv.data.discovery.files import LIST_SUFFIXES, first_names, left_out
from fullconv.data.discovery.list_files import LIST_FOLDERS, standard_split
from fullconv.data.discovery.problems import Problem, summary
from fullconv.data.labels.classes import DECLARATIONS
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES, describe_unsupported
from fullconv.io.visible import visible
from fullconv.units import count

_LISTS = (
    *LIST_SUFFIXES,
    *(".json", ".yaml", ".yml", ".xml", ".tsv", ".mat", ".npy", ".npz", ".pkl", ".xlsx"),
)
_WORDS = ("split", "splits", "fold", "folds", "partition")
_CLASS_LISTS = (
    *("classes", "classnames", "classlist", "classdict", "classmap", "labelmap", "labelnames"),
    *("labelcolors", "colormap", "palette", "categories"),
)
_OTHERS = ("log", "logs", "loss", "metrics", "results", "history", "config", "settings", "report")


def sentences(problems: Sequence[Problem], split: str | None, folder: Path) -> tuple[str, ...]:
    """Return what is left out of a split, or of the whole data set: one sentence per kind."""
    found = [
        problem
        for problem in problems
        if not problem.fatal and (split is None or problem.split in (None, split))
    ]
    found.sort(key=lambda problem: problem.error.code)
    kinds = groupby(found, key=lambda problem: problem.error.code)
    return tuple(str(summary([*same], folder)) for _, same in kinds)


def unread(folder: Path, pairs: Sequence[Pair], lists: bool, classes: bool) -> list[Problem]:
    """Return the problems of files that are not read.

    Args:
        folder: the data set.
        pairs: its samples.
        lists: whether to look for lists of splits too, since none is read.
        classes: whether to look for lists of classes too, since none are declared.
    """
    found = _unread_pictures(folder, pairs)
    found += _unread_lists(folder, pairs) if lists else []
    return found + (_unread_classes(folder) if classes else [])


def _unread_pictures(folder: Path, pairs: Iterable[Pair]) -> list[Problem]:
    """Return a problem for each folder with pictures that are not read, beside those that are."""
    places: dict[Path, list[Path]] = {}
    for pair in pairs if folder.is_dir() else ():
        for path in (pair.photo, pair.mask):
            places.setdefault(path.parent, []).append(path)
    counted = ((place, left_out(place, used)) for place, used in sorted(places.items()))
    return [Problem(_unread(place, n), place, None, fatal=False) for place, n in counted if n]


def _unread(folder: Path, counts: Mapping[str, int]) -> DataError:
    found = ", ".join(f"{number} {suffix}" for suffix, number in counts.items())
    return DataError(
        f"{found} left out: files with this suffix are not read",
        expected=f"one of {', '.join(SUFFIXES)}",
        remedy=describe_unsupported(counts),
        where=folder,
        code="not-read",
    )


def _unread_lists(folder: Path, pairs: Sequence[Pair]) -> list[Problem]:
    """Return a problem if files are called as lists of splits, but are not read as such.

    Args:
        folder: a data set that was divided by the hash of the names.
        pairs: its samples.
    """
    stems = {path.stem for pair in pairs for path in (pair.photo, pair.mask)}
    places = [folder / place for place in LIST_FOLDERS]
    busy = {parent for pair in pairs for path in (pair.photo, pair.mask) for parent in path.parents}
    places += [path for path in sorted(visible(folder, "*/")) if path not in busy]
    found = [
        path.relative_to(folder).as_posix()
        for place in dict.fromkeys(places)
        for path in map(place.joinpath, _files(place))
        if path.stem not in stems and _is_called_as_list(path) and path.is_file()
    ]
    if not found:
        return []
    error = DataError(
        f"{count(len(found), 'file')} called as lists of splits, but not read: "
        f"{first_names(found)}; train and val are divided by the hash of the names",
        expected="train.txt and val.txt in the data set or in splits/, with one name per line",
        remedy="write them so, or rename them",
        where=folder,
        code="list-not-read",
    )
    return [Problem(error, folder, None, fatal=False)]


def _unread_classes(folder: Path) -> list[Problem]:
    """Return a problem if files are called as lists of classes, in a form that is not read."""
    others = set(_files(folder)) - {*DECLARATIONS}  # those are read, or refused
    found = [name for name in sorted(others) if _is_called_as_classes(Path(name))]
    if not found:
        return []
    error = DataError(
        f"{count(len(found), 'file')} called as lists of classes, but not read: "
        f"{first_names(found)}; no classes are declared",
        expected="classes.txt with one class per line",
        remedy="write it, or rename the files",
        where=folder,
        code="classes-not-read",
    )
    return [Problem(error, folder, None, fatal=False)]


def _is_called_as_classes(path: Path) -> bool:
    stem = re.sub(r"[\W_]+", "", path.stem.casefold())
    return path.suffix.lower() in _LISTS and stem in _CLASS_LISTS


def _files(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in visible(folder))
    except DataError:  # without permission
        return []


def _is_called_as_list(path: Path) -> bool:
    if path.suffix.lower() not in _LISTS:
        return False
    words = re.split(r"[\W_]+|(?<=[a-z])(?=\d)", path.stem.casefold())
    if any(word in _OTHERS for word in words):
        return False
    return any(word in _WORDS or standard_split(word) for word in words)
