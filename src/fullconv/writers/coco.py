"""The answer as COCO's annotations: one for each class that occurs, as compressed run lengths.

Run lengths hold any region exactly; COCO's polygons know no holes. A category's id is the class's
label, so that it is the same number as in the labels' PNG.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.labels import VOID
from fullconv.prediction import Prediction
from fullconv.writers import Writer, writers


def encode(answer: Prediction) -> bytes:
    """A whole file of one photo, which has no name in it: `gathered` gives it one."""
    height, width = answer.labels.shape
    return _dumped(
        {
            "images": [{"id": 1, "file_name": "", "height": height, "width": width}],
            "annotations": list(_annotations(answer.labels)),
            "categories": [{"id": k, "name": name} for k, name in enumerate(answer.classes)],
        }
    )


def gathered(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """One file of many photos.

    Args:
        parts: of each photo its file's name, and what `encode` gave; all of one model.
    """
    images: list[Mapping[str, object]] = []
    annotations: list[Mapping[str, object]] = []
    categories: object = []
    for number, (name, content) in enumerate(parts, 1):
        part = json.loads(content)
        images.append(part["images"][0] | {"id": number, "file_name": name})
        for one in part["annotations"]:
            annotations.append(one | {"id": len(annotations) + 1, "image_id": number})
        categories = part["categories"]
    return _dumped({"images": images, "annotations": annotations, "categories": categories})


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
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


writers.register("coco")(
    Writer(".json", encode, "COCO annotations: each class that occurs, as compressed run lengths")
)
