"""Survey a data set: read every file once, on all cores."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.resplit import without_groups
from fullconv.data.formats import detect_format, inventory
from fullconv.data.labels.masks import MaskTable, read_raw
from fullconv.data.sample import Pair, Sample, scale_sample
from fullconv.data.survey.parallel import parallel_map
from fullconv.data.survey.scan import (
    Fault,
    MaskFacts,
    PhotoFacts,
    Value,
    is_jpeg,
    scan,
    scan_sample,
)
from fullconv.data.survey.survey import Item, Survey
from fullconv.errors import DataError, LabelError
from fullconv.io.images import read_image
from fullconv.io.palettes import VOID

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
Scan = Callable[[Pair], tuple[PhotoFacts, MaskFacts]]


def survey(
    source: str, split: str | None, progress: Progress, workers: int | None = None
) -> Survey:
    """Describe every file of a data set; a faulty file does not affect the others.

    Args:
        source: a folder, FORMAT:PATH or scenes:N.
        split: "train", ...; None for all.
        progress: wraps an iterable to show progress: (items, number, title) -> items.
        workers: number of threads, or processes if labels are drawn; None for one per core.

    Raises:
        DataError: the data set does not exist, or its layout is unknown.
    """
    layout, _ = detect_format(without_groups(source)[0])
    try:
        files = inventory(source)
    except DataError as error:
        return Survey(source, layout, [], refusal=error)
    files.keep(split)
    jobs = [(name, pair) for name, pairs in files.splits.items() for pair in pairs]
    facts = parallel_map(
        create_scanner(files), [pair for _, pair in jobs], workers, files.read is not None
    )
    scanned = [*progress(facts, len(jobs), "reading")]
    items = [
        Item(pair, name, photo, mask)
        for (name, pair), (photo, mask) in zip(jobs, scanned, strict=True)
    ]
    result = Survey(source, layout, items, inventory=files)
    _resolve(result, files)
    return result


def create_scanner(files: Inventory) -> Scan:
    """Return the function that describes a pair of this data set."""
    if files.read is None:
        return scan
    read, are_files = files.read, files.files
    # If one file annotates all photos, findings have to name the photo instead.
    uses = Counter(pair.mask for pairs in files.splits.values() for pair in pairs)
    shared = frozenset(path for path, number in uses.items() if number > 1)
    return lambda pair: scan_sample(pair, read, are_files, pair.mask in shared)


def _resolve(survey: Survey, files: Inventory) -> None:
    """Set the classes by their declaration, or else by the values of the masks."""
    usable = {item.mask.path: item.mask for item in survey.items if _has_classes(item.mask)}
    surveyed = {item.mask.path for item in survey.items}
    # Masks of other splits count too: training derives the classes from all masks.
    others = {pair.mask for pair in files.everything() if pair.mask not in surveyed}

    def values(path: Path) -> np.ndarray:
        return np.array([[*usable[path].counts]]) if path in usable else read_raw(path)

    table = None
    try:
        if not usable and files.declared is None and files.layout == "folders":
            raise DataError("no mask can be read, so the classes are unknown")
        survey.classes, survey.palette, table = files.resolve([*usable, *sorted(others)], values)
    except DataError as error:
        survey.refusal = error
    if not (table and table.colors):  # then grey colours encode numbers
        survey.items = [replace(item, mask=item.mask.as_numbers()) for item in survey.items]
    if files.read and not survey.refusal:
        _take_labels(survey, files.read)
    elif table:
        _apply(survey, table)


def _has_classes(mask: MaskFacts) -> bool:
    return not (mask.fault or is_jpeg(mask.header)) and len(mask.counts) <= 256


def _take_labels(survey: Survey, read: Callable[[Pair], Sample]) -> None:
    """Set the labels of formats that draw them: they are classes already."""
    for index, item in enumerate(survey.items):
        counts = item.mask.counts.items()
        labels: dict[int | None, int] = {v: n for v, n in counts if isinstance(v, int)}
        survey.items[index] = replace(item, labels=labels)
    survey.read = lambda item: scale_sample(read(item.pair), survey.band_choice, survey.source)
    survey.read_labels = lambda item: read(item.pair).labels


def _apply(survey: Survey, table: MaskTable) -> None:
    """Set the labels of masks by the table of their values."""
    survey.table = table
    survey.items = [_by_palette(item, table) for item in survey.items]
    labels: dict[Value, int | None] = {}
    for index, item in enumerate(survey.items):
        for value in item.mask.counts:
            if value not in labels:
                labels[value] = _label(table, value)
        counted = _counted(item.mask, labels, table)
        thin = survey.thin if None not in counted else frozenset[int]()
        if not (is_jpeg(item.mask.header) or item.mask.is_interpolated(thin)):
            survey.items[index] = replace(item, labels=counted)
    survey.read = lambda item: Sample(
        read_image(item.photo.path, survey.value_range), _labels(item, table), item.name
    )
    survey.read_labels = lambda item: _labels(item, table)


def _by_palette(item: Item, table: MaskTable) -> Item:
    """Return an item whose indexed mask is read by its colours, if the declared colours decide."""
    mask = item.mask
    if not mask.shown or not (table.by_palette or table.grey_colors):
        return item
    try:
        colored = table.reads_colors(mask.shown, str(mask.path))
    except LabelError as error:
        fault = Fault("palette", error.found, error.expected, error.remedy)
        return replace(item, mask=replace(mask, fault=fault))
    return replace(item, mask=mask.by_palette()) if colored else item


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
    return table(table.read(item.mask.path, item.photo.header), str(item.mask.path))
