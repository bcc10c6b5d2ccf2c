"""Pre-labels for Label Studio: tasks with predictions, one brush mask per class.

The tasks name photos as Label Studio serves them from a folder of this machine
(/data/local-files/?d=...); URLs stay as they are. `model_version` is the model's fingerprint.
"""

import json
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from os.path import abspath
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float

from fullconv.batch.manifest import JobDescription
from fullconv.batch.writers import Collector, StoredFile, Writer, writers
from fullconv.batch.writers._regions import class_masks
from fullconv.batch.writers._regions import encoding_bytes as regions_bytes
from fullconv.data.labels.brush_rle import encode_brush
from fullconv.data.labels.label_config import format_label_config
from fullconv.data.labels.outlines import single_ring
from fullconv.data.labels.polygonize import polygonize
from fullconv.inference.prediction import Prediction
from fullconv.io.output_text import json_bytes
from fullconv.io.storage import is_url

FOLDER = "labelstudio-import/"
TASKS, CONFIG = "tasks.json", "label_config.xml"
LOCAL = "/data/local-files/?d="
FROM_NAME, TO_NAME = "label", "image"  # the tags of `format_label_config`

PIXEL_BYTES = 16
EDGE_BYTES = 300  # of memory for a side of a pixel on an outline


def encode(prediction: Prediction) -> bytes:
    """Return a task with an empty photo and model version, which `collect` sets."""
    return json_bytes({"data": {"image": ""}, "predictions": [predicted(prediction)]})


def predicted(
    prediction: Prediction,
    version: str = "",
    from_name: str = FROM_NAME,
    to_name: str = TO_NAME,
    polygons: bool = False,
) -> dict[str, Any]:
    """Return a prediction in Label Studio's form.

    Args:
        prediction: with scores.
        version: the model's fingerprint.
        from_name: of the tag with the labels.
        to_name: of the photo's tag.
        polygons: polygons instead of brush masks; holes become parts of their outlines.
    """
    height, width = prediction.labels.shape
    common = {
        "from_name": from_name,
        "to_name": to_name,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    best = prediction.probabilities.max(0)
    shapes = _polygons(prediction) if polygons else _brushes(prediction, best)
    results = [{**shape, **common} for shape in shapes]
    return {"model_version": version, "score": _mean(best), "result": results}


def encoding_bytes(prediction: Prediction) -> int:
    """Return the memory that `encode` takes."""
    return regions_bytes(prediction, PIXEL_BYTES, EDGE_BYTES)


def collect(
    stored: Sequence[StoredFile], job: JobDescription
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the tasks of all photos, and the configuration of a project for them."""
    yield TASKS, _task_lines(stored, job)
    yield CONFIG, [format_label_config(job.classes, job.palette)]


def photo_url(path: str) -> str:
    """Return the URL of a photo in a task."""
    if is_url(path):
        return path
    inside = posixpath.normpath(path.replace("\\", "/"))
    if inside.startswith("../"):
        inside = abspath(path)
    return LOCAL + quote(inside.lstrip("/").encode("utf-8", "surrogateescape"))


def _task_lines(stored: Sequence[StoredFile], job: JobDescription) -> Iterator[bytes]:
    """Yield the file, one task per line; holds one photo's task at a time."""
    opening = b"[\n"
    for record, read in sorted(stored, key=lambda pair: pair[0].id):
        task = json.loads(read())
        task["data"]["image"] = photo_url(record.path)
        task["predictions"][0]["model_version"] = job.model
        yield opening + json_bytes(task).rstrip()
        opening = b",\n"
    yield b"\n]\n" if opening != b"[\n" else b"[]\n"


def _brushes(prediction: Prediction, best: Float[np.ndarray, "H W"]) -> Iterator[dict[str, Any]]:
    for label, mask in class_masks(prediction.labels, prediction.classes):
        name = prediction.classes[label]
        value = {"format": "rle", "rle": list(encode_brush(mask)), "brushlabels": [name]}
        shape = {"id": f"class{label}", "type": "brushlabels", "value": value}
        yield {**shape, "score": _mean(best[mask])}


def _mean(values: Float[np.ndarray, "..."]) -> float:
    return round(float(values.mean(dtype=np.float64)), 6)


def _polygons(prediction: Prediction) -> Iterator[dict[str, Any]]:
    scale = 100 / np.array(prediction.labels.shape)
    known = {label for label, _ in class_masks(prediction.labels, prediction.classes)}
    for number, polygon in enumerate(polygonize(prediction.labels)):
        if polygon.label in known:
            points = (single_ring(polygon) * scale)[:, ::-1].tolist()
            labels = [prediction.classes[polygon.label]]
            value = {"points": points, "closed": True, "polygonlabels": labels}
            yield {"id": f"region{number}", "type": "polygonlabels", "value": value}


writers.register("labelstudio")(
    Writer(
        ".json",
        encode,
        "Label Studio task with pre-labels: one brush mask per class",
        scores=True,
        pixel_bytes=64,
        score_bytes=4,
        encoding_bytes=encoding_bytes,
        collector=Collector(FOLDER, collect, r"tasks\.json|label_config\.xml"),
    )
)
