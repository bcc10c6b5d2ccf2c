"""Samples and photos of a data set that no split uses, so that nothing is left out silently.

These problems are not fatal: `check` reports them as warnings, and `train` prints them.
"""

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fullconv.data.discovery.files import (
    IMAGE_FOLDERS,
    LABELS_BESIDE,
    find_files,
    first_names,
)
from fullconv.data.discovery.layout import MASK_FOLDERS
from fullconv.data.discovery.list_files import folder_split, split_from_name
from fullconv.data.discovery.problems import Problem
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.visible import visible
from fullconv.units import count


def unlisted(
    folder: Path,
    pairs: Sequence[Pair],
    splits: Mapping[str, Sequence[Pair]],
    names: Collection[str],
) -> list[Problem]:
    """Return a problem if samples are in no split; not where a split cannot be opened.

    Args:
        folder: the data set.
        pairs: all samples.
        splits: split -> samples.
        names: all splits, also those that cannot be opened.
    """
    if not splits or names - splits.keys():
        return []
    used = {pair.photo for part in splits.values() for pair in part}
    rest = [pair.name for pair in pairs if pair.photo not in used]
    if not rest:
        return []
    error = DataError(
        f"{count(len(rest), 'sample')} left out, in no split: {first_names(rest)}",
        expected="every sample in a list",
        remedy="add them to a list, or remove them if they are not to be used",
        where=folder,
        code="unlisted",
    )
    return [Problem(error, folder, None, fatal=False)]


def unused_photos(
    folder: Path,
    splits: Mapping[str, Sequence[Pair]],
    pairs: Sequence[Pair],
    known: Iterable[Path],
    needed: str,
    suffixes: Sequence[str],
) -> list[Problem]:
    """Return a problem if photos beside those of the samples are used by no split.

    They are in another folder like those of the splits (extra/images beside train/images), or in
    the same folders as the samples' photos.

    Args:
        folder: the data set.
        splits: split -> samples.
        pairs: all samples.
        known: all files that are read, or that another problem is about.
        needed: what makes a photo a sample, e.g. "a mask for every photo".
        suffixes: of photos, in lower case.
    """
    read = _Files(known)
    beside = {
        path: read.others(find_files(path, *suffixes)) for path in _folders_beside(folder, splits)
    }
    beside = {path: photos for path, photos in beside.items() if photos}
    read.add(path for photos in beside.values() for path in photos)
    within = sorted(read.others(_in_same_folders(folder, pairs, suffixes)))
    return _in_folders(folder, beside) + _among_samples(folder, within, needed)


class _Files:
    """A set of files, which are the same through links to their folders."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._folders: dict[Path, str] = {}
        self._found: set[tuple[str, str]] = set()
        self.add(paths)

    def add(self, paths: Iterable[Path]) -> None:
        self._found.update(map(self._key, paths))

    def others(self, paths: Iterable[Path]) -> list[Path]:
        """Return those paths that are none of these files."""
        return [path for path in paths if self._key(path) not in self._found]

    def _key(self, path: Path) -> tuple[str, str]:
        if path.parent not in self._folders:  # a few folders hold all files
            self._folders[path.parent] = os.path.realpath(path.parent)
        return self._folders[path.parent], path.name


def _in_folders(folder: Path, photos: Mapping[Path, Sequence[Path]]) -> list[Problem]:
    """Return the problem of folders of which no photo is used."""
    if not photos:
        return []
    names = [
        f"{path.relative_to(folder).as_posix()}/ ({len(found)})" for path, found in photos.items()
    ]
    error = DataError(
        f"{count(sum(map(len, photos.values())), 'photo')} left out, in no split: "
        f"{first_names(names)}",
        expected="folders of splits with labels only, such as train, val and test",
        remedy="move them with their labels into a split, or out of the data set",
        where=folder,
        code="unused-folder",
    )
    return [Problem(error, next(iter(photos)), None, fatal=False)]


def _among_samples(folder: Path, photos: Sequence[Path], needed: str) -> list[Problem]:
    """Return the problem of photos in the folders of those that are used."""
    if not photos:
        return []
    names = [path.relative_to(folder).as_posix() for path in photos]
    error = DataError(
        f"{count(len(photos), 'photo')} left out, beside those of the samples: "
        f"{first_names(names)}",
        expected=needed,
        remedy="label them, or move them out of the folder if they are not to be used",
        where=folder,
        code="unused-photo",
    )
    return [Problem(error, photos[0], None, fatal=False)]


def _in_same_folders(
    folder: Path, pairs: Iterable[Pair], suffixes: Sequence[str]
) -> Iterator[Path]:
    """Yield the photos in the folders of samples, and everywhere in a folder such as images/.

    The labels of a test split are often withheld, so such folders count only if they hold samples.
    """
    places = {pair.photo.parent for pair in pairs if pair.photo != pair.mask}
    places = {place for place in places if place.is_relative_to(folder)}
    for root in sorted({_root(place, folder) for place in places}):
        deep = _holds_images(root, folder)
        for path in find_files(root, *suffixes) if deep else visible(root):
            inside = path.parent.relative_to(folder).parts
            counts = path.parent in places or not any(map(_holds_no_samples, inside))
            if counts and path.name.lower().endswith(tuple(suffixes)):
                yield path


def _root(place: Path, folder: Path) -> Path:
    """Return the outermost folder such as images/ around photos, or else their own."""
    above = [path for path in (*place.parents[::-1], place) if _holds_images(path, folder)]
    return above[0] if above else place


def _holds_images(path: Path, folder: Path) -> bool:
    return folder in path.parents and path.name.casefold() in IMAGE_FOLDERS


def _holds_no_samples(name: str) -> bool:
    return folder_split(name) == "test" or name.casefold() in MASK_FOLDERS


def _folders_beside(folder: Path, splits: Mapping[str, Sequence[Pair]]) -> list[Path]:
    """Return the folders beside those of the splits that should hold photos of a split, too.

    For splits in train/images and val/images that is extra/images, for images/train images/extra,
    for train beside train_labels extra beside extra_labels, and for images/ alone extra/images.
    """
    places = {pair.photo.parent for part in splits.values() for pair in part}
    patterns = {
        pattern
        for split, part in splits.items()
        for place in {pair.photo.parent for pair in part}
        if place.is_relative_to(folder)
        for pattern in _siblings(place.relative_to(folder).parts, split)
    }
    beside = {path for pattern in patterns for path in visible(folder, pattern)} - places
    # The labels of a test split are often withheld, as those of Cityscapes are.
    parts = {path: map(folder_split, path.relative_to(folder).parts) for path in beside}
    beside = {path for path, splits_of in parts.items() if "test" not in splits_of}
    if "*/" in patterns:  # other folders than those of data are usual there
        beside -= {path for path in visible(folder, "*/") if not _is_called_as_data(path)}
    return sorted(beside)


def _siblings(place: tuple[str, ...], split: str) -> Iterator[str]:
    """Yield patterns of folders that hold photos as `place` holds those of a split."""
    for number, name in enumerate(place):
        if split in (name, folder_split(name), split_from_name(name)):
            within = place[number + 1 : number + 2]
            inside = [glob.escape(part) for part in within if part.casefold() in IMAGE_FOLDERS]
            yield "/".join([*map(glob.escape, place[:number]), "*", *inside, ""])
            return
    if len(place) == 1 and place[0].casefold() in IMAGE_FOLDERS:
        yield f"*/{glob.escape(place[0])}/"


def _is_called_as_data(folder: Path) -> bool:
    """Return whether a folder has the name of a split, or one of labels beside it."""
    labels = (folder.with_name(folder.name + ending) for ending in LABELS_BESIDE)
    return folder_split(folder.name) is not None or any(path.is_dir() for path in labels)
