"""A data set as the checks see it: what every file holds, and which class each value is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.data.checks._finding import Finding
from fullconv.data.checks._scan import MaskFacts, PhotoFacts, is_jpeg
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.labels.class_weights import Counts
from fullconv.data.labels.masks import MaskTable
from fullconv.data.sample import Data, Pair, Sample
from fullconv.errors import DataError
from fullconv.io.palettes import Palette

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One sample: where it belongs, and what its files hold.

    Attributes:
        pair: its name, unique within its split, and its files.
        split: "train", "val", ...
        photo: the facts of its photo.
        mask: the facts of its mask, or of the labels that the format makes of shapes or tables.
        labels: pixels of each class; void's are under 255, those of no class under None.
    """

    pair: Pair
    split: str
    photo: PhotoFacts
    mask: MaskFacts
    labels: Mapping[int | None, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique within its split."""
        return self.pair.name

    @property
    def fits(self) -> bool:
        """Whether both files can be read, have one size and hold nothing but classes."""
        one, other = self.photo.header, self.mask.header
        if self.photo.fault or self.mask.fault or not (one and other and self.labels):
            return False
        same = other.size == one.size or (one.orientation > 4 and other.size == one.stored)
        eight_bits = not one.mode.startswith(("I", "F"))
        return same and eight_bits and None not in self.labels and not is_jpeg(other)


@dataclass
class Survey:
    """A data set as the checks see it.

    Attributes:
        source: what the user called it.
        layout: the format's name; empty where it cannot be told.
        items: the samples.
        classes: name of class 0, of class 1, ...; empty where they cannot be told.
        palette: one colour a class.
        refusal: why the classes are unknown or the data set cannot be opened; None if neither.
        inventory: the files; None where the data set cannot be opened.
        table: what the masks' values mean; None where that cannot be told, or masks are no files.
        read: gives the sample of an item that fits.
        read_labels: gives its labels alone.
    """

    source: str
    layout: str
    items: list[Item]
    classes: tuple[str, ...] = ()
    palette: Palette = ()
    refusal: DataError | None = None
    inventory: Inventory | None = None
    table: MaskTable | None = None
    read: Callable[[Item], Sample] | None = None
    read_labels: Callable[[Item], UInt8[np.ndarray, "H W"]] | None = None

    @property
    def masks_are_files(self) -> bool:
        """Whether masks are pictures; else the format makes labels of shapes or tables."""
        return self.inventory is not None and self.inventory.read is None

    @property
    def photos_are_files(self) -> bool:
        """Whether photos are pictures of their own."""
        return self.inventory is not None and self.inventory.files

    def data(self, split: str) -> Data:
        """The samples of a split that fit, or where there are none of all that fit."""
        whole = [item for item in self.of(split) or self.items if item.fits]
        read = self.read
        names = tuple(item.name for item in whole if read)
        return Data(
            self.source,
            split,
            self.classes,
            self.palette,
            names,
            lambda index: read(whole[index]),  # type: ignore[misc]  # no names where it is None
        )

    def of(self, split: str) -> list[Item]:
        """The items of one split."""
        return [item for item in self.items if item.split == split]

    @property
    def splits(self) -> list[str]:
        """The names of the splits, train before val before test."""
        return sorted({item.split for item in self.items}, key=_place)

    def shown(self, path: Path) -> str:
        """A path as the user finds it: within the data set."""
        folder = self.inventory.folder if self.inventory else Path(self.source)
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)

    def within(self, text: str) -> str:
        """A sentence in which paths are as the user finds them: within the data set."""
        return text.replace(f"{self.inventory.folder}/", "") if self.inventory else text

    def about(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """A finding of severity "error"; `warn` and `tell` make it less."""
        where = self.shown(file) if isinstance(file, Path) else file
        return Finding(code, "error", where, self.within(found), expected, remedy)

    def warn(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """A finding of severity "warning"."""
        return replace(self.about(code, file, found, expected, remedy), severity="warning")

    def tell(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """A finding of severity "note"."""
        return replace(self.about(code, file, found, expected, remedy), severity="note")

    def pixels(self, split: str | None = None) -> Int64[np.ndarray, " K"]:
        """Pixels of each class."""
        items = self.items if split is None else self.of(split)
        rows = [[item.labels.get(label, 0) for label in range(len(self.classes))] for item in items]
        return np.asarray(np.array(rows, np.int64).reshape(len(items), len(self.classes)).sum(0))

    def images(self, split: str | None = None) -> Int64[np.ndarray, " K"]:
        """Images that hold each class."""
        items = self.items if split is None else self.of(split)
        rows = [[label in item.labels for label in range(len(self.classes))] for item in items]
        return np.asarray(np.array(rows, np.int64).reshape(len(items), len(self.classes)).sum(0))

    @cached_property
    def counts(self) -> Counts:
        """What class weights follow from: of train where there is one, else of all."""
        items = self.of("train") or self.items
        labels = range(len(self.classes))
        each = [
            (sum(item.labels.values()), [item.labels.get(label, 0) for label in labels])
            for item in items
        ]
        pixels = [sum(row[label] for _, row in each) for label in labels]
        present = [sum(whole for whole, row in each if row[label]) for label in labels]
        return Counts(np.array(pixels, np.int64), np.array(present, np.int64))


def _place(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS)), split
