"""What a data set consists of, listed without decoding a picture and without refusing a fault."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fullconv.data.discovery.layout import canonical
from fullconv.data.discovery.splits import grouped_split, hash_split
from fullconv.data.labels.masks import MaskTable, PairReader
from fullconv.data.sample import Data, Pair, Sample
from fullconv.errors import DataError, NoSplitError
from fullconv.io.images import SUFFIXES
from fullconv.io.palettes import Palette

Read = Callable[[Path], np.ndarray]
Classes = tuple[tuple[str, ...], Palette, MaskTable | None]
USUAL = ("train", "val", "test")


@dataclass
class Inventory:
    """The files of a data set and their faults, before any of them is opened.

    There are three kinds. Photos and masks are pictures: `files`, and `read` is None. Photos are
    pictures, but labels are shapes or MATLAB files: `files`, and `read` gives the labels. Neither
    is a picture file of its own (drawn scenes, rasters with bands): not `files`, and `read` gives
    both.

    Attributes:
        folder: the data set.
        layout: the format's name.
        resolve: (masks, reader of their values) -> classes, palette, and the table of the masks
            where they are pictures.
        declared: how many classes the data set declares; None where it does not.
        splits: split -> pairs.
        divided: whether the splits are on disk; else they follow from the hash of the names.
        files: whether `photo` of a pair is a picture file.
        read: gives the sample of a pair; None where masks are pictures.
        unmatched_images: photos without a mask.
        unmatched_masks: masks without a photo.
        duplicates: two files of one stem.
        bad_lines: (list, what is wrong with a line of it).
        broken_splits: split -> why it cannot be opened although it is there.
    """

    folder: Path
    layout: str
    resolve: Callable[[Sequence[Path], Read], Classes]
    declared: int | None = None
    splits: dict[str, list[Pair]] = field(default_factory=dict)
    divided: bool = True
    files: bool = True
    read: Callable[[Pair], Sample] | None = None
    unmatched_images: list[Path] = field(default_factory=list)
    unmatched_masks: list[Path] = field(default_factory=list)
    duplicates: list[tuple[Path, Path]] = field(default_factory=list)
    bad_lines: list[tuple[Path, str]] = field(default_factory=list)
    broken_splits: dict[str, DataError] = field(default_factory=dict)

    def keep(self, split: str | None) -> None:
        """Leave only one split; None: train, val and test, without their parts and unions.

        Raises:
            NoSplitError: there is no such split.
        """
        usual = [name for name in self.splits if name in USUAL]
        chosen = usual or [*self.splits]
        if split is not None:
            chosen = [name for name in self.splits if name in (split, canonical(split))]
        if split is not None and not chosen and split not in self.broken_splits:
            raise NoSplitError(self.folder, split, self.splits)
        self.splits = {name: self.splits[name] for name in chosen}

    def add(self, pairs: Sequence[Pair], declared: Mapping[str, Sequence[int]]) -> None:
        """Take in the pairs, divided as the indices of each split say, or else by their hash."""
        for split, indices in declared.items():
            self.splits[split] = [pairs[index] for index in indices]
        if not declared:
            self.splits[""] = [*pairs]
            self.divide()

    def divide(self, groups: str | None = None) -> None:
        """Part what stands under the split "" by the hash of the names, for want of splits."""
        if "" in self.splits:
            pairs = self.splits.pop("")
            self._part(pairs, hash_split([pair.name for pair in pairs], groups=groups))

    def regroup(self, groups: Callable[[str], str]) -> None:
        """Divide train and val anew, so that groups stay together; test stays as it is.

        Raises:
            DataError: no groups, or only one.
        """
        test = self.splits.pop("test", [])
        free = {pair.name: pair for pairs in self.splits.values() for pair in pairs}
        free = {name: free[name] for name in sorted(free) if free[name] not in test}
        self.splits = {}
        self._part([*free.values()], grouped_split([*free], groups))
        self.splits |= {"test": test} if test else {}

    def _part(self, pairs: Sequence[Pair], parts: Mapping[str, Sequence[int]]) -> None:
        self.divided = False
        parts = {name: indices for name, indices in parts.items() if indices}
        self.splits |= {name: [pairs[i] for i in indices] for name, indices in parts.items()}


def opened_inventory(layout: str, folder: Path, opened: Callable[[str | None], Data]) -> Inventory:
    """The inventory of a data set as its format opens it, split by split.

    Args:
        layout: the format's name.
        folder: where the data set lies.
        opened: a split, or None for all of it -> Data.

    Raises:
        DataError: neither a split nor the whole can be opened.
    """
    refused: dict[str, DataError] = {}
    parts: dict[str, Data] = {}
    for split in USUAL:
        try:
            parts[split] = opened(split)
        except NoSplitError:
            continue
        except DataError as error:
            refused[split] = error
    parts = {split: data for split, data in parts.items() if data.names}
    if not parts and refused:
        raise next(iter(refused.values()))
    whole = parts or {"all": opened(None)}
    first = next(iter(whole.values()))
    places = {
        pair: (data, index) for data in whole.values() for index, pair in enumerate(_pairs(data))
    }
    table = _table(first)
    return Inventory(
        folder,
        layout,
        resolve=lambda masks, read: (first.classes, first.palette, table),
        declared=len(first.classes),
        splits={split: _pairs(data) for split, data in whole.items()},
        divided=bool(parts) and not _by_hash(parts),
        files=all(pair.photo.suffix.lower() in SUFFIXES for pair in places) and _has_files(first),
        read=None if table else lambda pair: places[pair][0][places[pair][1]],
        broken_splits=refused,
    )


def _pairs(data: Data) -> list[Pair]:
    if _has_files(data):
        return list(getattr(data.read, "pairs"))  # noqa: B009 - Data knows no pairs
    return [Pair(name, Path(name), Path(name)) for name in data.names]


def _has_files(data: Data) -> bool:
    return hasattr(data.read, "pairs")


def _table(data: Data) -> MaskTable | None:
    read = data.read
    if isinstance(read, PairReader) and read.raw is None and isinstance(read.table, MaskTable):
        return read.table
    return None


def _by_hash(parts: Mapping[str, Data]) -> bool:
    names = sorted(name for data in parts.values() for name in data.names)
    by_hash = {split: {names[i] for i in places} for split, places in hash_split(names).items()}
    return all(set(data.names) == by_hash.get(split) for split, data in parts.items())
