"""Every file of a data set, read once, on all cores: the survey that the checks look at."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.data.checks._scan import (
    FRINGED,
    MaskFacts,
    PhotoFacts,
    Value,
    is_jpeg,
    over,
    scan,
    scan_sample,
)
from fullconv.data.checks._survey import Item, Survey
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.resplit import without_groups
from fullconv.data.formats import detect_format, inventory
from fullconv.data.labels.masks import MaskTable, picture
from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError, LabelError
from fullconv.io.images import read_image, read_mask
from fullconv.io.palettes import VOID

Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]
Scan = Callable[[Pair], tuple[PhotoFacts, MaskFacts]]


def survey(source: str, split: str | None, progress: Shown, workers: int | None = None) -> Survey:
    """Look at every file of a data set; a fault of one is no fault of the others.

    Args:
        source: a folder, FORMAT:PATH or scenes:N.
        split: "train", ...; None is all.
        progress: wraps what is gone through: (items, number, what) -> items.
        workers: threads, or processes where labels are painted; None is one a core.

    Raises:
        DataError: there is no such data set, or its layout cannot be told.
    """
    layout, _ = detect_format(without_groups(source)[0])
    try:
        stock = inventory(source)
    except DataError as error:
        return Survey(source, layout, [], refusal=error)
    stock.keep(split)
    jobs = [(name, pair) for name, pairs in stock.splits.items() for pair in pairs]
    facts = over(scanner(stock), [pair for _, pair in jobs], workers, stock.read is not None)
    seen = [*progress(facts, len(jobs), "reading")]
    items = [Item(pair, name, *two) for (name, pair), two in zip(jobs, seen, strict=True)]
    found = Survey(source, layout, items, inventory=stock)
    _resolve(found, stock)
    return found


def scanner(stock: Inventory) -> Scan:
    """What gives the facts of a pair of this data set."""
    if stock.read is None:
        return scan
    read, files = stock.read, stock.files
    # Where one file annotates all photos, a finding must name the photo instead.
    uses = Counter(pair.mask for pairs in stock.splits.values() for pair in pairs)
    shared = frozenset(path for path, number in uses.items() if number > 1)
    return lambda pair: scan_sample(pair, read, files, pair.mask in shared)


def _resolve(found: Survey, stock: Inventory) -> None:
    """Tell the classes from the declaration, or else from what the masks were found to hold."""
    usable = {item.mask.path: item.mask for item in found.items if _tells(item.mask)}
    looked_at = {item.mask.path for item in found.items}
    # Masks of other splits count too: training derives the classes from all masks.
    others = {pair.mask for pair in stock.everything() if pair.mask not in looked_at}

    def values(path: Path) -> np.ndarray:
        return np.array([[*usable[path].counts]]) if path in usable else picture(path)

    table = None
    try:
        if not usable and stock.declared is None and stock.layout == "folders":
            raise DataError("no mask can be read, so that the classes are not known")
        found.classes, found.palette, table = stock.resolve([*usable, *sorted(others)], values)
    except DataError as error:
        found.refusal = error
    if not (table and table.colors):  # then a grey that is stored as a colour is a number
        found.items = [replace(item, mask=item.mask.as_numbers()) for item in found.items]
    if stock.read and not found.refusal:
        _take_labels(found, stock.read)
    elif table:
        _apply(found, table)


def _tells(mask: MaskFacts) -> bool:
    return not (mask.fault or is_jpeg(mask.header)) and len(mask.counts) <= 256


def _take_labels(found: Survey, read: Callable[[Pair], Sample]) -> None:
    """Labels that the format made are classes already."""
    for place, item in enumerate(found.items):
        counts = item.mask.counts.items()
        labels: dict[int | None, int] = {v: n for v, n in counts if isinstance(v, int)}
        found.items[place] = replace(item, labels=labels)
    found.read = lambda item: read(item.pair)
    found.read_labels = lambda item: read(item.pair).labels


def _apply(found: Survey, table: MaskTable) -> None:
    """What the masks' values mean by the table."""
    found.table = table
    labels: dict[Value, int | None] = {}
    for place, item in enumerate(found.items):
        for value in item.mask.counts:
            if value not in labels:
                labels[value] = _label(table, value)
        if not is_jpeg(item.mask.header) and item.mask.fringe <= FRINGED:  # else: no true labels
            found.items[place] = replace(item, labels=_counted(item.mask, labels, table))
    found.read = lambda item: Sample(read_image(item.photo.path), _labels(item, table), item.name)
    found.read_labels = lambda item: _labels(item, table)


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
    stray = table.stray * sum(counted.values()) if mask.colored else 0
    if 0 < counted.get(None, 0) <= stray:
        counted[VOID] = counted.get(VOID, 0) + counted.pop(None)
    return counted


def _labels(item: Item, table: MaskTable) -> np.ndarray:
    return table(read_mask(item.mask.path, item.photo.header), str(item.mask.path))
