"""Index COCO's JSON without its polygons in memory: annotations are read when they are needed.

All of train2017's outlines as Python numbers take five gigabytes; their positions take megabytes.
"""

import re
from array import array
from collections.abc import Iterator, MutableSequence
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from fullconv.errors import DataError
from fullconv.io.regular import open_regular
from fullconv.io.text import get_entry, parse_json, parse_json_at, read_json, read_utf8

_SPACE = re.compile(r"[ \t\n\r]*")
_BOM = b"\xef\xbb\xbf".decode("latin-1")
_LISTS = ("categories", "images", "annotations")


@dataclass(frozen=True)
class Positions:
    """The positions of the annotations of one photo in their file.

    Attributes:
        path: the file.
        spans: (first byte, byte after the last) of each.
    """

    path: Path
    spans: Int64[np.ndarray, "N 2"]

    def __len__(self) -> int:
        return len(self.spans)

    def read(self) -> list[dict[str, Any]]:
        """Read the annotations.

        Raises:
            DataError: the file has changed since it was opened.
        """
        if not len(self.spans):
            return []
        try:
            with open_regular(self.path) as stream:
                found = [_record(stream, first, last) for first, last in self.spans.tolist()]
        except (OSError, ValueError) as error:
            raise DataError(
                f"an annotation of {self.path} cannot be used, or the file has changed since it "
                f"was opened ({error})",
                remedy="export it again, or start again",
            ) from error
        return found


@dataclass
class Index:
    """The contents of a COCO file.

    Attributes:
        categories: its records.
        images: its records.
        spans: first byte and byte after the last, of each annotation in turn.
        image_ids: the image of each annotation.
        category_ids: number of a category -> the first annotation that names it.
        segments: whether the first annotation is a panoptic one.
        outlined: annotations with an outline.
        objects: those of them that are not crowds.
    """

    categories: list[object] = field(default_factory=list)
    images: list[object] = field(default_factory=list)
    spans: MutableSequence[int] = field(default_factory=lambda: array("q"))
    image_ids: MutableSequence[int] = field(default_factory=lambda: array("q"))
    category_ids: dict[int, int] = field(default_factory=dict)
    segments: bool = False
    outlined: int = 0
    objects: int = 0

    def positions(self, path: Path) -> dict[int, Positions]:
        """Return the positions of the annotations of each image that has any, in their order."""
        ids = np.array(self.image_ids, np.int64)
        spans = np.array(self.spans, np.int64).reshape(-1, 2)
        order = np.argsort(ids, kind="stable")
        found, starts = np.unique(ids[order], return_index=True)
        parts = np.split(spans[order], starts[1:])
        return {
            number: Positions(path, part)
            for number, part in zip(found.tolist(), parts, strict=False)
        }


def index_of(path: Path, panoptic: bool | None = None) -> Index:
    """Index a COCO file in one pass.

    Args:
        path: the file.
        panoptic: whether its annotations are panoptic ones; None: as the first one is.

    Raises:
        DataError: it is broken, or a record is invalid.
    """
    index = Index()
    seen = set()
    try:
        text = _bytes_as_text(path)
        start = len(_BOM) if text.startswith(_BOM) else 0
        for name, records in _lists(text, start):
            seen.add(name)
            _take(index, name, records, text, path, panoptic)
    except DataError:
        raise
    except (ValueError, RecursionError, IndexError, OSError) as error:
        read_json(path)  # raises an error with the line
        raise DataError(
            f"broken JSON ({error})",
            remedy="export it again",
            where=path,
        ) from error
    for name in _LISTS:
        if name not in seen:
            get_entry(
                read_json(path), name, list, str(path)
            )  # raises an error with what is there instead
    return index


def _bytes_as_text(path: Path) -> str:
    """Return one character per byte, so positions in the text are positions in the file."""
    with open_regular(path) as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        return str(content, "latin-1")


def _lists(text: str, start: int) -> Iterator[tuple[str, Iterator[tuple[object, int, int]]]]:
    """Yield the lists of the outer object by name, each as records with their positions."""
    position = _after(text, start)
    if text[position] != "{":
        raise ValueError("not an object in braces")
    position = _after(text, position + 1)
    while text[position] != "}":
        if text[position] != '"':
            raise ValueError(f"no name at {position}")
        name, position = parse_json_at(text, position)
        position = _after(text, position)
        if text[position] != ":":
            raise ValueError(f"no colon at {position}")
        position = _after(text, position + 1)
        if name in _LISTS and text[position] == "[":
            records = _Records(text, position)
            yield name, iter(records)
            position = records.end
        else:
            position = parse_json_at(text, position)[1]
        position = _after(text, position)
        if text[position] not in ",}":
            raise ValueError(f"no comma at {position}")
        position = _after(text, position + 1) if text[position] == "," else position
    if _after(text, position + 1) != len(text):
        raise ValueError("more after the end")


class _Records:
    """The elements of a JSON list, one at a time; `end` is known after the last."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start
        self.end = start

    def __iter__(self) -> Iterator[tuple[object, int, int]]:
        position = _after(self.text, self.start + 1)
        while self.text[position] != "]":
            record, end = parse_json_at(self.text, position)
            yield record, position, end
            position = _after(self.text, end)
            if self.text[position] not in ",]":
                raise ValueError(f"no comma at {position}")
            position = _after(self.text, position + 1) if self.text[position] == "," else position
        self.end = position + 1


def _take(
    index: Index,
    name: str,
    records: Iterator[tuple[object, int, int]],
    text: str,
    path: Path,
    panoptic: bool | None,
) -> None:
    if name != "annotations":
        kept = [_plain(text[first:last], path) for _, first, last in records]
        setattr(index, name, kept)
        return
    index.spans, index.image_ids, index.category_ids = array("q"), array("q"), {}
    for number, (record, first, last) in enumerate(records):
        where = f"{path}: annotation {number}"
        index.spans.extend((first, last))
        index.image_ids.append(get_entry(record, "image_id", int, where))
        if number == 0:
            index.segments = isinstance(record, dict) and "segments_info" in record
        several = index.segments if panoptic is None else panoptic
        parts = get_entry(record, "segments_info", list, where) if several else [record]
        for part in parts:
            index.category_ids.setdefault(get_entry(part, "category_id", int, where), number)
        if isinstance(record, dict) and record.get("segmentation"):
            index.outlined += 1
            index.objects += not record.get("iscrowd")


def _plain(content: str, path: Path) -> object:
    """Parse a small record and keep only the keys that are needed."""
    try:
        record = parse_json(content.encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError as error:
        read_utf8(path)  # raises an error with the position
        raise DataError(
            "not UTF-8 text",
            remedy="save it as UTF-8",
            where=path,
        ) from error
    keys = ("id", "name", "supercategory", "color", "file_name", "height", "width")
    return {key: record[key] for key in keys if key in record} if isinstance(record, dict) else {}


def _record(stream: Any, first: int, last: int) -> dict[str, Any]:
    stream.seek(first)
    record = parse_json(stream.read(last - first).decode("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("not an annotation")
    return record


def _after(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
