"""List the samples and the problems of a data set, without decoding an image."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from fullconv.config import Head
from fullconv.data.discovery.files import sample_name
from fullconv.data.discovery.list_files import SPLITS, standard_split
from fullconv.data.discovery.lists import SplitList, read_lists
from fullconv.data.discovery.problems import (
    Problem,
    mask_missing,
    photo_missing,
    same_name,
)
from fullconv.data.discovery.splits import hash_split
from fullconv.data.labels.masks import MaskTable
from fullconv.data.photo_range import PhotoRange, measure_range
from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError, NoSplitError
from fullconv.io.images import SUFFIXES
from fullconv.io.palettes import Palette
from fullconv.io.rasters import BandChoice

Read = Callable[[Path], np.ndarray]
Classes = tuple[tuple[str, ...], Palette, MaskTable | None]


@dataclass
class Inventory:
    """The samples of a data set and its problems.

    There are three kinds. Images and masks are image files: `files`, and `read` is None. Images
    are image files, but labels are shapes or MATLAB files: `files`, and `read` gives the labels.
    Neither is a plain image file (drawn scenes, rasters with bands): not `files`, and `read` gives
    both.

    Attributes:
        folder: the data set.
        layout: the format's name.
        resolve: (masks, reader of their values) -> classes, palette, and the table of the masks
            if they are image files.
        declared: how many classes the data set declares; None if it does not.
        splits: split -> pairs.
        pairs: all samples, where the splits leave some out; else empty.
        candidates: the samples that lists divided, if they did.
        divided: whether the splits are on disk; else they follow from the hash of the names.
        files: whether `photo` of a pair is an image file.
        read: returns the sample of a pair; None if masks are image files.
        problems: in the order in which they were found.
        note: added to the message about an unknown split.
        whole: the list of all samples that was divided; "" if none was.
        band_choice: the bands and the range of rasters; None if they follow from the files.
        heads: labels of several kinds that `read` returns; () for one.
        train: the photos of train, from which the range of photos follows; None: those of `splits`.
        no_samples: photos that are left out for a reason that the format gives itself.
        needed: what makes a photo a sample, for messages.
        suffixes: of photos, in lower case; () not to look for photos that are left out.
    """

    folder: Path
    layout: str
    resolve: Callable[[Sequence[Path], Read], Classes]
    declared: int | None = None
    splits: dict[str, list[Pair]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    candidates: Sequence[Pair] = ()
    divided: bool = True
    files: bool = True
    read: Callable[[Pair], Sample] | None = None
    problems: list[Problem] = field(default_factory=list)
    note: str = ""
    whole: str = ""
    band_choice: BandChoice | None = None
    train: Sequence[Path] | None = None
    heads: tuple[Head, ...] = ()
    no_samples: Collection[Path] = ()
    needed: str = "labels for every photo in these folders"
    suffixes: Sequence[str] = SUFFIXES

    @cached_property
    def photo_range(self) -> PhotoRange:
        """The value range of photos with more than 8 bits, by those of train, or else by all."""
        if not self.files:
            return PhotoRange((), 0)
        return measure_range(self.train or self.train_photos())

    def train_photos(self) -> list[Path]:
        """Return the photos of train, or of all samples if there is no train."""
        return [pair.photo for pair in self.splits.get("train", ()) or self.everything()]

    def everything(self) -> list[Pair]:
        """Return the samples of all splits, and those that are in no split."""
        if self.pairs:
            return self.pairs
        pairs = {pair.photo: pair for part in self.splits.values() for pair in part}
        return sorted(pairs.values(), key=lambda pair: pair.name)

    def keep(self, split: str | None) -> None:
        """Leave only one split; None: train, val and test, without their parts and unions.

        Raises:
            NoSplitError: there is no such split.
        """
        self.pairs, self.train = self.everything(), self.train_photos()
        known = self.names()
        if split is None:
            chosen = {name for name in known if name in SPLITS} or known
            self.splits = self.splits or {"all": self.pairs}
            chosen = chosen or {"all"}
        else:
            chosen = {str(self.known(split))}
        self.splits = {name: pairs for name, pairs in self.splits.items() if name in chosen}
        self.problems = [p for p in self.problems if p.split is None or p.split in chosen]

    def unmatched(
        self,
        images: Iterable[Path],
        split: str | None,
        masks: object,
        hint: str = "",
        fatal: bool = True,
    ) -> None:
        """Add images without a mask, which is expected in `masks`."""
        errors = ((path, mask_missing(path, masks, hint)) for path in images)
        self.problems += [Problem(error, path, split, fatal) for path, error in errors]

    def orphans(
        self, masks: Iterable[Path], split: str | None, images: object, fatal: bool, hint: str = ""
    ) -> None:
        """Add masks without an image, which is expected in `images`."""
        errors = ((path, photo_missing(path, images, hint)) for path in masks)
        self.problems += [Problem(error, path, split, fatal) for path, error in errors]

    def same_stems(
        self,
        duplicates: Iterable[tuple[Path, Path]],
        split: str | None = None,
        fatal: bool = True,
    ) -> None:
        """Add pairs of files of which only one can be meant."""
        for first, second in dict.fromkeys(duplicates):
            error = same_name(first, second)
            self.problems.append(Problem(error, second, split, fatal, first))

    def bad_entries(self, errors: Iterable[DataError], split: str | None) -> None:
        """Add faulty lines of lists or entries of annotation files; `where` is the file."""
        self.problems += [Problem(error, Path(error.where), split) for error in errors]

    def broken(self, split: str, error: DataError) -> None:
        """Add a split that exists but cannot be opened."""
        moved = copy(error)
        moved.code = "not-readable"
        self.problems.append(Problem(moved, Path(error.where or self.folder), split))

    def read_splits(self, paths: Mapping[str, Path]) -> dict[str, SplitList]:
        """Read the lists of splits; those that cannot be read are broken, empty ones a problem."""
        lists, broken = read_lists(paths)
        for split, error in broken.items():
            self.broken(split, error)
        for split, part in lists.items():
            if empty := part.empty():
                self.bad_entries([empty], split)
        return lists

    def add_lists(self, pairs: Sequence[Pair], paths: Mapping[str, Path]) -> None:
        """Divide pairs as lists say, or by the hash of their names if there is no list."""
        self.match_lists(pairs, self.read_splits(paths))
        if not paths:
            self.divide(pairs)

    def match_lists(
        self,
        pairs: Sequence[Pair],
        lists: Mapping[str, SplitList],
        unmatched: Mapping[Path, object] | None = None,
    ) -> None:
        """Add the splits of lists.

        Args:
            pairs: all samples.
            lists: split -> list.
            unmatched: images without a mask -> where it is expected; problems only if a list
                names them.
        """
        self.candidates = pairs
        lonely = [Pair(sample_name(path, self.folder), path, path) for path in unmatched or {}]
        for split, part in lists.items():
            found, errors = part.match([*pairs, *lonely], self.folder)
            self.splits[split] = [pair for pair in found if pair.photo not in (unmatched or {})]
            self.bad_entries(errors, split)
            for pair in found:
                if unmatched and pair.photo in unmatched:
                    hint = f", and its line in {part.path.name}"
                    self.unmatched([pair.photo], split, unmatched[pair.photo], hint)

    def add_parts(self, pairs: Sequence[Pair], parts: Mapping[str, Sequence[int]]) -> None:
        """Divide pairs as the indices of each split say."""
        self.splits |= {split: [pairs[i] for i in indices] for split, indices in parts.items()}

    def divide(self, pairs: Sequence[Pair], groups: str | None = None) -> None:
        """Divide pairs into train and val by the hash of their names."""
        self.divided = False
        self.note = self.note or " (by the hash of the names, since no split is on disk)"
        parts = hash_split([pair.name for pair in pairs], groups=groups)
        self.add_parts(pairs, {name: indices for name, indices in parts.items() if indices})

    def names(self) -> set[str]:
        """Return the splits that exist, also those that cannot be opened."""
        broken = {p.split for p in self.problems if p.error.code == "not-readable" and p.split}
        return {*self.splits, *broken}

    def known(self, split: str | None) -> str | None:
        """Return the name of a split as it is here; None of all samples.

        Raises:
            NoSplitError: there is no such split.
        """
        if split is None:
            return None
        known = sorted(self.names())
        name = split if split in known else standard_split(split) or split
        if name not in known:
            raise NoSplitError(self.folder, split, known, self.note)
        return name
