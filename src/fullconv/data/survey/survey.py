"""The survey of a data set: the content of every file, and the class of each value."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import SPLITS
from fullconv.data.labels.class_weights import Counts
from fullconv.data.labels.masks import MaskTable
from fullconv.data.sample import Data, Pair, Sample
from fullconv.data.survey.edges import thin_values
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.scan import MaskFacts, PhotoFacts, is_jpeg
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Palette
from fullconv.io.rasters.bands import BandChoice
from fullconv.io.value_range import ValueRange


@dataclass(frozen=True)
class Item:
    """A sample of the data set.

    Attributes:
        pair: its files, and its name, unique within its split.
        split: "train", "val", ...
        photo: description of its photo.
        mask: description of its mask, or of the labels that the format draws.
        labels: pixels of each class; 255 for ignored pixels, None for values that are not a class.
    """

    pair: Pair
    split: str
    photo: PhotoFacts
    mask: MaskFacts
    labels: Mapping[int | None, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the sample, unique within its split."""
        return self.pair.name

    @property
    def is_valid(self) -> bool:
        """Whether both files can be read, have one size, and contain only classes."""
        photo, mask = self.photo.header, self.mask.header
        if self.photo.fault or self.mask.fault or not (photo and mask and self.labels):
            return False
        same_size = mask.size == photo.size or (photo.orientation > 4 and mask.size == photo.stored)
        return same_size and None not in self.labels and not is_jpeg(mask)


@dataclass
class Survey:
    """The data that checks work on.

    Attributes:
        source: the data set as the user named it.
        layout: name of the format; empty if unknown.
        items: the samples.
        classes: class names; empty if unknown.
        palette: one colour per class.
        refusal: why the classes are unknown or the data set cannot be opened, or None.
        inventory: the files; None if the data set cannot be opened.
        table: mask value -> class; None if unknown, or if masks are not image files.
        read: reads the sample of a valid item.
        read_labels: reads its labels alone.
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
        """Whether masks are image files; otherwise the format draws labels from annotations."""
        return self.inventory is not None and self.inventory.read is None

    @property
    def photos_are_files(self) -> bool:
        """Whether photos are image files."""
        return self.inventory is not None and self.inventory.files

    def data(self, split: str) -> Data:
        """Return the valid samples of a split, or of the whole data set if the split has none."""
        valid = [item for item in self.of(split) or self.items if self.can_read(item)]
        read = self.read
        names = tuple(item.name for item in valid if read)
        return Data(
            self.source,
            split,
            self.classes,
            self.palette,
            names,
            lambda index: read(valid[index]),  # type: ignore[misc]  # without names if None
        )

    def can_read(self, item: Item) -> bool:
        """Return whether an item is valid, and a photo with more than 8 bits has a value range."""
        header = item.photo.header
        return item.is_valid and not (header and header.deep and self.value_range is None)

    @property
    def band_choice(self) -> BandChoice | None:
        """The value range of photos with more than 8 bits; None without such photos in train."""
        return self.inventory.photo_range.choice if self.inventory else None

    @property
    def value_range(self) -> ValueRange | None:
        """The values of `band_choice` that become black and white."""
        return self.band_choice.value_range if self.band_choice else None

    def of(self, split: str) -> list[Item]:
        """Return the items of a split."""
        return [item for item in self.items if item.split == split]

    @property
    def splits(self) -> list[str]:
        """The names of the splits, train before val before test."""
        return sorted({item.split for item in self.items}, key=_split_order)

    def relative(self, path: Path) -> str:
        """Return a path relative to the data set's folder, if it is inside."""
        folder = self.inventory.folder if self.inventory else Path(self.source)
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)

    def shorten(self, text: str) -> str:
        """Return a text in which paths are relative to the data set's folder."""
        return text.replace(f"{self.inventory.folder}/", "") if self.inventory else text

    def error(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """Create a finding of severity "error"."""
        where = self.relative(file) if isinstance(file, Path) else file
        return Finding(code, "error", where, self.shorten(found), expected, remedy)

    def warning(
        self, code: str, file: Path | str, found: str, expected: str, remedy: str
    ) -> Finding:
        """Create a finding of severity "warning"."""
        return replace(self.error(code, file, found, expected, remedy), severity="warning")

    def note(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """Create a finding of severity "note"."""
        return replace(self.error(code, file, found, expected, remedy), severity="note")

    def pixels(self, split: str | None = None) -> Int64[np.ndarray, " K"]:
        """Count the pixels of each class."""
        items = self.items if split is None else self.of(split)
        rows = [[item.labels.get(label, 0) for label in range(len(self.classes))] for item in items]
        return np.asarray(np.array(rows, np.int64).reshape(len(items), len(self.classes)).sum(0))

    def images(self, split: str | None = None) -> Int64[np.ndarray, " K"]:
        """Count the images that contain each class."""
        items = self.items if split is None else self.of(split)
        rows = [[label in item.labels for label in range(len(self.classes))] for item in items]
        return np.asarray(np.array(rows, np.int64).reshape(len(items), len(self.classes)).sum(0))

    @property
    def withheld(self) -> bool:
        """Whether the test split has dummy masks of ignored pixels only, like Cityscapes'."""
        items = self.of("test")
        return len(items) > 1 and all(set(item.labels) == {VOID} for item in items)

    @property
    def ignored_share(self) -> float:
        """Share of the pixels that are ignored, in [0, 1]; nan without labels."""
        items = [i for i in self.items if not (self.withheld and i.split == "test")]
        total = sum(sum(item.labels.values()) for item in items)
        ignored = sum(item.labels.get(VOID, 0) for item in items)
        return ignored / total if total else float("nan")

    @cached_property
    def thin(self) -> frozenset[int]:
        """The values that are thin wherever masks hold them as numbers."""
        pixels: Counter[int] = Counter()
        inner: Counter[int] = Counter()
        for item in self.items:
            for total, counts in ((pixels, item.mask.counts), (inner, item.mask.inner)):
                total.update({v: n for v, n in counts.items() if isinstance(v, int)})
        return thin_values(pixels, inner)

    @cached_property
    def counts(self) -> Counts:
        """The counts for class weights: of train if it exists, otherwise of all samples."""
        items = self.of("train") or self.items
        labels = range(len(self.classes))
        rows = [
            (sum(item.labels.values()), [item.labels.get(label, 0) for label in labels])
            for item in items
        ]
        pixels = [sum(row[label] for _, row in rows) for label in labels]
        present = [sum(total for total, row in rows if row[label]) for label in labels]
        return Counts(np.array(pixels, np.int64), np.array(present, np.int64))


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS)), split
