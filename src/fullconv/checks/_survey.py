"""Everything that the checks look at: what every file holds, and which class each value is."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.balance import Counts
from fullconv.checks._finding import Finding
from fullconv.checks._inventory import Inventory, take
from fullconv.checks._scan import FRINGED, SMALL, Fault, MaskFacts, PhotoFacts, Value, count, scan
from fullconv.colors import Palette
from fullconv.errors import DataError, LabelError
from fullconv.formats import formats, open_data, recognise
from fullconv.formats._masks import MaskTable
from fullconv.formats.camvid import STRAY, ForgivingColors
from fullconv.images import Header, read_image, read_mask, scale_image
from fullconv.sample import VOID, Data, Sample

Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One sample: where it belongs, and what its files hold.

    Attributes:
        name: unique within its split.
        split: "train", "val", ...
        photo: the facts of its photo.
        mask: the facts of its mask.
        labels: pixels of each class; void's are under 255, those of no class under None.
    """

    name: str
    split: str
    photo: PhotoFacts
    mask: MaskFacts
    labels: Mapping[int | None, int] = field(default_factory=dict)

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
        layout: the format's name.
        items: the samples.
        classes: name of class 0, of class 1, ...; empty where they cannot be told.
        palette: one colour a class.
        refusal: why the classes cannot be told, or the data set not be opened.
        inventory: the files; None for layouts that only their format can read.
        table: what the masks' values mean; None where that cannot be told.
        read: gives the sample of an item that fits.
        read_labels: gives its labels alone.
    """

    source: str
    layout: str
    items: list[Item]
    classes: tuple[str, ...] = ()
    palette: Palette = ()
    refusal: str = ""
    inventory: Inventory | None = None
    table: MaskTable | None = None
    read: Callable[[Item], Sample] | None = None
    read_labels: Callable[[Item], UInt8[np.ndarray, "H W"]] | None = None

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

    def about(self, code: str, file: Path | str, found: str, expected: str, remedy: str) -> Finding:
        """A finding of severity "error"; `warn` and `tell` make it less."""
        where = self.shown(file) if isinstance(file, Path) else file
        return Finding(code, "error", where, found, expected, remedy)

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


def survey(source: str, split: str | None, progress: Shown, workers: int | None = None) -> Survey:
    """Look at every file of a data set; a fault of one is no fault of the others.

    Args:
        source: a folder, FORMAT:PATH or scenes:N.
        split: "train", ...; None is all.
        progress: wraps what is gone through: (items, number, what) -> items.
        workers: threads; None is one a core.

    Raises:
        DataError: there is no such data set, or its layout cannot be told.
    """
    layout, place = _layout(source)
    inventory = take(Path(place), layout)
    if inventory is None:
        return _of_samples(source, layout, split, progress)
    inventory.keep(split)
    jobs = [(name, pair) for name, pairs in inventory.splits.items() for pair in pairs]
    threads = workers or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        facts = pool.map(scan, [pair for _, pair in jobs])
        seen = [*progress(facts, len(jobs), "reading")]
    items = [Item(pair.name, name, *two) for (name, pair), two in zip(jobs, seen, strict=True)]
    found = Survey(source, layout, items, inventory=inventory)
    _resolve(found, inventory)
    return found


def _layout(source: str) -> tuple[str, str]:
    name, _, rest = source.partition(":")
    if rest and name in formats:
        return name, rest
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(
            f"there is no data at {source}; expected a folder with images/, masks/ and "
            "classes.txt, or FORMAT:PATH, or scenes:N for drawn scenes"
        )
    return recognise(folder), source


def _resolve(found: Survey, inventory: Inventory) -> None:
    """Tell the classes from the declaration, or else from what the masks were found to hold."""
    usable = {item.mask.path: item.mask for item in found.items if _tells(item.mask)}

    def values(path: Path) -> np.ndarray:
        return np.array([[*usable[path].counts]])

    try:
        if not usable and inventory.declared is None and inventory.layout == "folders":
            raise DataError("no mask can be read, so that the classes are not known")
        found.classes, found.palette, found.table = inventory.resolve([*usable], values)
    except DataError as error:
        found.refusal = str(error)
        return
    table = found.table
    labels: dict[Value, int | None] = {}
    for place, item in enumerate(found.items):
        for value in item.mask.counts:
            if value not in labels:
                labels[value] = _label(table, value)
        if not is_jpeg(item.mask.header) and item.mask.fringe <= FRINGED:  # else: no true labels
            found.items[place] = replace(item, labels=_counted(item.mask, labels, table))
    found.read = lambda item: Sample(read_image(item.photo.path), _labels(item, table), item.name)
    found.read_labels = lambda item: _labels(item, table)


def _tells(mask: MaskFacts) -> bool:
    return not (mask.fault or is_jpeg(mask.header)) and len(mask.counts) <= 256


def is_jpeg(header: Header | None) -> bool:
    """Whether a file is a JPEG, whatever it is called."""
    return header is not None and header.format == "JPEG"


def _label(table: MaskTable, value: Value) -> int | None:
    raw = np.array([[value]], np.uint8 if isinstance(value, tuple) else np.int64)
    try:
        return int(table(raw, "")[0, 0])
    except LabelError:
        return None


def _counted(
    mask: MaskFacts, labels: Mapping[Value, int | None], table: MaskTable
) -> dict[int | None, int]:
    counted: dict[int | None, int] = {}
    for value, number in mask.counts.items():
        counted[labels[value]] = counted.get(labels[value], 0) + number
    unknown, stray = (
        counted.get(None, 0),
        STRAY if isinstance(table.colors, ForgivingColors) else 0.0,
    )
    if mask.colored and 0 < unknown <= stray * sum(counted.values()):
        counted[VOID] = counted.get(VOID, 0) + counted.pop(None)
    return counted


def _labels(item: Item, table: MaskTable) -> UInt8[np.ndarray, "H W"]:
    return table(read_mask(item.mask.path, item.photo.header), str(item.mask.path))


def _of_samples(source: str, layout: str, split: str | None, progress: Shown) -> Survey:
    found = Survey(source, layout, [])
    opened: dict[str, Data] = {}
    for name in (split,) if split else SPLITS:
        try:
            opened[name] = open_data(source, name)
        except DataError as error:
            found.refusal = found.refusal or str(error)
    if not opened and split is None:
        try:
            opened["all"] = open_data(source, None)
        except DataError as error:
            found.refusal = str(error)
    if not opened:
        return found
    found.refusal = ""
    first = next(iter(opened.values()))
    found.classes, found.palette = first.classes, first.palette
    jobs = [(name, index) for name, data in opened.items() for index in range(len(data))]
    for name, index in progress(jobs, len(jobs), "reading"):
        found.items.append(_item(opened[name], name, index))
    places = {(name, data.names[i]): i for name, data in opened.items() for i in range(len(data))}
    found.read = lambda item: opened[item.split][places[item.split, item.name]]
    found.read_labels = lambda item: opened[item.split][places[item.split, item.name]].labels
    return found


def _item(data: Data, split: str, index: int) -> Item:
    name = data.names[index]
    path = Path(name)
    try:
        sample = data[index]
    except DataError as error:
        fault = Fault("damaged", str(error).partition("; ")[0])
        return Item(name, split, PhotoFacts(path), MaskFacts(path, fault=fault))
    size = sample.labels.shape
    header = Header((size[0], size[1]), (size[0], size[1]), "RGB", "", 1, 1)
    digest = blake2b(sample.image.tobytes(), digest_size=16).digest()
    photo = PhotoFacts(path, header, digest, _grey(sample.image))
    mask = MaskFacts(path, replace(header, mode="L"), count(sample.labels))
    labels: dict[int | None, int] = {
        value: number for value, number in mask.counts.items() if isinstance(value, int)
    }
    return Item(name, split, photo, mask, labels)


def _grey(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "64 72"]:
    small: UInt8[np.ndarray, "64 72"] = scale_image(image, SMALL).mean(2).astype(np.uint8)
    return small


def _place(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS)), split
