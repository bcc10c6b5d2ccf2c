"""COCO annotations: one per class that occurs, as compressed run-length encoding (RLE).

RLE holds any region exactly; COCO polygons cannot have holes. A category's id is the class's label,
the same number as in the labels' PNG. Each photo has its own file; `collect` merges them into the
one file that COCO's tools expect.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.batch.manifest import JobDescription
from fullconv.batch.writers import Collector, StoredFile, Writer, writers
from fullconv.data.labels.patches import cropped
from fullconv.inference.prediction import Prediction
from fullconv.io.palettes import VOID

Entry = Mapping[str, object]

RUN_BYTES = 64  # of memory for a run of equal labels
PIXEL_BYTES = 8


def encode(prediction: Prediction) -> bytes:
    """Return a COCO file of one photo with an empty file name; `merge_coco` sets it."""
    height, width = prediction.labels.shape
    return _to_json(
        {
            "images": [{"id": 1, "file_name": "", "height": height, "width": width}],
            "annotations": list(_annotate(prediction.labels)),
            "categories": _categories(prediction.classes),
        }
    )


def encoding_bytes(prediction: Prediction) -> int:
    """Return the memory that `encode` takes, which depends on the runs of equal labels."""
    labels = prediction.labels
    runs: int = labels.shape[1] + np.count_nonzero(labels[1:] != labels[:-1])
    return int(PIXEL_BYTES * labels.size + RUN_BYTES * runs)


def merge_coco(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """Merge the files of many photos into one.

    Args:
        parts: each photo's file name and `encode`d file; all of one model.
    """
    loaded = [(name, json.loads(content)) for name, content in parts]
    images = [
        part["images"][0] | {"id": number, "file_name": name}
        for number, (name, part) in enumerate(loaded, 1)
    ]
    categories = loaded[0][1]["categories"] if loaded else []
    annotations = (part["annotations"] for _, part in loaded)
    return b"".join(_write_lines(images, annotations, categories))


def collect(
    stored: Sequence[StoredFile], job: JobDescription
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield one file of all photos, independent of their order; `file_name` is a photo's path.

    If all input ids are whole numbers, as in a manifest made from a COCO file, they become the
    image ids; otherwise images are numbered by their sorted ids.
    """
    ordered = sorted(stored, key=lambda pair: pair[0].id)
    numbers: Sequence[int] = range(1, len(ordered) + 1)
    if all(_is_number(record.id) for record, _ in ordered):
        ordered.sort(key=lambda pair: int(pair[0].id))
        numbers = [int(record.id) for record, _ in ordered]
    images = [
        {"id": number, "file_name": record.path, "height": record.height, "width": record.width}
        for number, (record, _) in zip(numbers, ordered, strict=True)
    ]
    annotations = (json.loads(read())["annotations"] for _, read in ordered)
    yield "", _write_lines(images, annotations, _categories(job.classes))


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number in its only spelling: not 007 for 7."""
    return text == "0" or re.fullmatch("[1-9][0-9]{0,17}", text) is not None


def _categories(classes: Sequence[str]) -> list[Entry]:
    return [{"id": label, "name": name} for label, name in enumerate(classes)]


def _write_lines(
    images: Sequence[Entry], annotations: Iterable[Sequence[dict[str, object]]], categories: object
) -> Iterator[bytes]:
    """Yield the file, one image or annotation per line; holds one photo's annotations at a time."""
    yield b'{"images":[' + b",".join(b"\n" + _to_json(image).rstrip() for image in images)
    yield b'],\n"annotations":['
    number = 0
    for image, of_image in zip(images, annotations, strict=True):
        for annotation in of_image:
            number += 1
            line = _to_json(annotation | {"id": number, "image_id": image["id"]}).rstrip()
            yield (b"," if number > 1 else b"") + b"\n" + line
    yield b'],\n"categories":' + _to_json(categories).rstrip() + b"}\n"


def _annotate(labels: UInt8[np.ndarray, "H W"]) -> Iterator[dict[str, object]]:
    columns = labels.T.ravel()  # COCO's runs go down the columns
    edges = np.flatnonzero(np.diff(columns)) + 1
    starts, ends = np.append(0, edges), np.append(edges, columns.size)
    number = 0
    for label in np.unique(columns).tolist():
        if label == VOID:
            continue
        mine = columns[starts] == label
        box = cropped(labels == label)
        number += 1
        yield {
            "id": number,
            "image_id": 1,
            "category_id": label,
            "iscrowd": 0,
            "area": int((ends - starts)[mine].sum()),
            "bbox": [box.left, box.top, *box.mask.shape[::-1]],
            "segmentation": {
                "size": list(labels.shape),
                "counts": _compress(_run_lengths(starts[mine], ends[mine], columns.size)),
            },
        }


def _run_lengths(
    starts: Int64[np.ndarray, " N"], ends: Int64[np.ndarray, " N"], total: int
) -> Int64[np.ndarray, " M"]:
    """Return the lengths of runs outside, inside, outside, ...; only the first may be 0."""
    bounds = np.stack([starts, ends], 1).ravel()
    lengths = np.diff(bounds, prepend=0, append=total)
    return lengths if lengths[-1] else lengths[:-1]


def _compress(runs: Int64[np.ndarray, " N"]) -> str:
    """Encode run lengths as COCO does: five bits per character, and a continuation bit.

    From the fourth run on, the difference to the run before the previous one is encoded.
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


def _to_json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return text.encode("utf-8", "backslashreplace")  # file names need not be UTF-8


writers.register("coco")(
    Writer(
        ".json",
        encode,
        "COCO annotations: each class that occurs, as compressed run-length encoding",
        encoding_bytes=encoding_bytes,
        collector=Collector("coco.json", collect),
    )
)
