"""LabelMe files: one per photo, to be put beside it.

Kinds: polygons, of which LabelMe's have no holes, so a hole is joined to the outline by a line of
no area; and `mask` shapes, one per class, which hold any region.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fullconv.batch.writers import Writer, writers
from fullconv.batch.writers._regions import class_masks, encoding_bytes
from fullconv.data.labels.labelme_file import labelme_header, labelme_shape
from fullconv.data.labels.outlines import single_ring
from fullconv.data.labels.patches import cropped
from fullconv.data.labels.polygonize import count_edges, polygonize, tracing_bytes
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_grey
from fullconv.io.output_text import json_bytes

SHAPE = 160  # bytes of a shape without its corners and its label

Shapes = Callable[[Prediction], Iterator[dict[str, Any]]]


def encode(prediction: Prediction, name: str, shapes: Shapes) -> bytes:
    """Return a LabelMe file of a photo of this name, in one folder with it."""
    content = {**labelme_header(name, prediction.labels.shape), "shapes": []}
    lines = (json_bytes(shape).rstrip() for shape in shapes(prediction))
    return json_bytes(content)[: -len("]}\n")] + b",\n".join(lines) + b"]}\n"


def polygons_bytes(prediction: Prediction) -> int:
    """Return the memory that `encode` takes with polygons, and for the file, at most twice."""
    labels = prediction.labels
    names = (len(json_bytes(name)) for name in prediction.classes)
    corner = 2 * len(f"{max(labels.shape)}.25, ") + len("[], ")
    # A region has at least four edges, and a hole repeats two corners.
    file = count_edges(labels) * (SHAPE + max(names) + 6 * corner) // 4
    return max(tracing_bytes(labels) + file, 2 * file)


def polygons(prediction: Prediction) -> Iterator[dict[str, Any]]:
    """Yield one polygon per region; pixels of the background and void have none."""
    known = {label for label, _ in class_masks(prediction.labels, prediction.classes)}
    for polygon in polygonize(prediction.labels):
        if polygon.label in known:
            points = single_ring(polygon)[:, ::-1].tolist()
            yield labelme_shape(prediction.classes[polygon.label], "polygon", points)


def masks(prediction: Prediction) -> Iterator[dict[str, Any]]:
    """Yield one mask per class; pixels of the background and void have none."""
    for label, mask in class_masks(prediction.labels, prediction.classes):
        patch = cropped(mask)
        height, width = patch.mask.shape
        picture = b64encode(encode_grey(patch.mask.view(np.uint8))).decode("ascii")
        left, top = patch.left, patch.top
        corners = [[left, top], [left + width - 1, top + height - 1]]
        yield labelme_shape(prediction.classes[label], "mask", corners, mask=picture)


def _writer(shapes: Shapes, summary: str, memory: Callable[[Prediction], int]) -> Writer:
    return Writer(
        ".json",
        partial(encode, name="", shapes=shapes),
        summary,
        pixel_bytes=64,
        encoding_bytes=memory,
        named=partial(encode, shapes=shapes),
    )


writers.register("labelme")(
    _writer(polygons, "LabelMe file: one polygon per region", polygons_bytes)
)
writers.register("labelme-masks")(
    _writer(
        masks,
        "LabelMe file: one mask per class",
        partial(encoding_bytes, per_pixel=16, per_edge=16),
    )
)
