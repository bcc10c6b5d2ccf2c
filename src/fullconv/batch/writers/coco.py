"""The answer as COCO's annotations: one for each class that occurs, as compressed run lengths.

Run lengths hold any region exactly; COCO's polygons know no holes. A category's id is the class's
label, so that it is the same number as in the labels' PNG. Each photo has a file, so that no answer
waits for another; one file of all of them is what COCO's tools expect.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.batch.writers import Collector, Kept, Writer, writers
from fullconv.inference.predictor import Prediction
from fullconv.io.palettes import VOID, Palette

Entry = Mapping[str, object]


def encode(answer: Prediction) -> bytes:
    """A whole file of one photo, which has no name in it: `gathered` gives it one."""
    height, width = answer.labels.shape
    return _dumped(
        {
            "images": [{"id": 1, "file_name": "", "height": height, "width": width}],
            "annotations": list(_annotations(answer.labels)),
            "categories": _categories(answer.classes),
        }
    )


def gathered(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """One file of many photos.

    Args:
        parts: of each photo its file's name, and what `encode` gave; all of one model.
    """
    found = [(name, json.loads(content)) for name, content in parts]
    images = [
        part["images"][0] | {"id": number, "file_name": name}
        for number, (name, part) in enumerate(found, 1)
    ]
    categories = found[0][1]["categories"] if found else []
    answers = (part["annotations"] for _, part in found)
    return b"".join(_pieces(images, answers, categories))


def together(
    kept: Sequence[Kept], classes: Sequence[str], palette: Palette
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """One file of many photos, whatever the order they come in: `file_name` is a photo's path.

    A photo's number is its id where all ids are whole numbers, as in a manifest that was made of a
    COCO file; else its place among the sorted ids.
    """
    del palette  # COCO's categories have no colours
    ordered = sorted(kept, key=lambda one: one[0].id)
    numbers: Sequence[int] = range(1, len(ordered) + 1)
    if all(_is_number(answer.id) for answer, _ in ordered):
        ordered.sort(key=lambda one: int(one[0].id))
        numbers = [int(answer.id) for answer, _ in ordered]
    images = [
        {"id": number, "file_name": one.path, "height": one.height, "width": one.width}
        for number, (one, _) in zip(numbers, ordered, strict=True)
    ]
    answers = (json.loads(read())["annotations"] for _, read in ordered)
    yield "", _pieces(images, answers, _categories(classes))


def _is_number(text: str) -> bool:
    """Whether it is a whole number as it is written: two such texts are two numbers."""
    return text.isascii() and text.isdecimal() and str(int(text)) == text


def _categories(classes: Sequence[str]) -> list[Entry]:
    return [{"id": label, "name": name} for label, name in enumerate(classes)]


def _pieces(
    images: Sequence[Entry], answers: Iterable[Sequence[dict[str, object]]], categories: object
) -> Iterator[bytes]:
    """The file, one image or annotation a line; one photo's annotations are in memory at a time."""
    yield b'{"images":[' + b",".join(b"\n" + _dumped(image).rstrip() for image in images)
    yield b'],\n"annotations":['
    number = 0
    for image, annotations in zip(images, answers, strict=True):
        for one in annotations:
            number += 1
            line = _dumped(one | {"id": number, "image_id": image["id"]}).rstrip()
            yield (b"," if number > 1 else b"") + b"\n" + line
    yield b'],\n"categories":' + _dumped(categories).rstrip() + b"}\n"


def _annotations(labels: UInt8[np.ndarray, "H W"]) -> Iterator[dict[str, object]]:
    columns = labels.T.ravel()  # COCO's runs go down the columns
    edges = np.flatnonzero(np.diff(columns)) + 1
    starts, ends = np.append(0, edges), np.append(edges, columns.size)
    number = 0
    for label in np.unique(columns).tolist():
        if label == VOID:
            continue
        mine = columns[starts] == label
        number += 1
        yield {
            "id": number,
            "image_id": 1,
            "category_id": label,
            "iscrowd": 0,
            "area": int((ends - starts)[mine].sum()),
            "bbox": _box(labels == label),
            "segmentation": {
                "size": list(labels.shape),
                "counts": _compressed(_runs(starts[mine], ends[mine], columns.size)),
            },
        }


def _runs(
    starts: Int64[np.ndarray, " N"], ends: Int64[np.ndarray, " N"], total: int
) -> Int64[np.ndarray, " M"]:
    """Lengths of the runs outside, inside, outside, ...; the first may be 0, the last is not."""
    bounds = np.stack([starts, ends], 1).ravel()
    lengths = np.diff(bounds, prepend=0, append=total)
    return lengths if lengths[-1] else lengths[:-1]


def _compressed(runs: Int64[np.ndarray, " N"]) -> str:
    """COCO's compressed run lengths: five bits a character, and a sixth that says whether it ends.

    From the fourth run on, what is written is the difference to the last but one before it.
    """
    values = runs.copy()
    values[3:] -= runs[1:-2]
    text = bytearray()
    for value in values.tolist():
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text.append(48 + bits + 32 * more)
    return text.decode()


def _box(mask: np.ndarray) -> list[int]:
    """COCO's box: left, top, width, height in pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _dumped(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return text.encode("utf-8", "backslashreplace")  # names of files need not be UTF-8


writers.register("coco")(
    Writer(
        ".json",
        encode,
        "COCO annotations: each class that occurs, as compressed run lengths",
        together=Collector("coco.json", together),
    )
)
