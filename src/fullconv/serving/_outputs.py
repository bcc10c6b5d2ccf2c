"""What a prediction can be returned as: the writers of `fullconv predict`, and JSON for pages."""

from base64 import b64encode
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.class_areas import count_pixels, format_csv
from fullconv.batch.writers import Writer, writers
from fullconv.batch.writers.labels import encode as encode_label_map
from fullconv.batch.writers.probabilities import encode_confidence
from fullconv.errors import UnknownNameError
from fullconv.inference.prediction import Prediction
from fullconv.inference.score_labels import largest_scores
from fullconv.io.images import encode_labels
from fullconv.io.output_text import json_bytes
from fullconv.io.palettes import row_blocks
from fullconv.serving._body import DEFAULT_NAME
from fullconv.serving._models import ServedModel

DEFAULT = "labels"
OWN = ("areas", "json")  # beside the writers

MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".npy": "application/octet-stream",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".csv": "text/csv; charset=utf-8",
}

# What the header Accept chooses; the first that it names counts.
ACCEPTED = {
    "image/png": "labels",
    "image/jpeg": "overlay",
    "application/geo+json": "geojson",
    "application/json": "json",
    "text/csv": "areas",
}


def output_names() -> list[str]:
    """Return the names that `format=` takes."""
    return sorted({*writers, *OWN})


def choose_output(given: str | None, accept: str) -> str:
    """Return the name of the output that a request asks for.

    Args:
        given: of `format=`; None if there is none.
        accept: the header Accept; what it names beside known types is ignored.

    Raises:
        UnknownNameError: there is no such output.
    """
    if given is not None:
        if given not in output_names():
            raise UnknownNameError("format", given[:60], output_names())
        return given
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((ACCEPTED[kind] for kind in kinds if kind in ACCEPTED), DEFAULT)


def find_output(name: str, served: ServedModel, photo: str = DEFAULT_NAME) -> Writer:
    """Return how an output is encoded.

    Args:
        name: from `choose_output`.
        served: predicts.
        photo: the photo's name, which some outputs hold.
    """
    if name == "areas":
        return Writer(".csv", partial(encode_areas, photo))
    if name == "json":
        return Writer(
            ".json",
            partial(encode_json, served),
            scores=True,
            pixel_bytes=24,  # four pictures, as PNG, as base64 and in the text
            score_bytes=4,
        )
    writer = writers[name]
    if writer.named is None:
        return writer
    return replace(writer, encode=partial(writer.encode_photo, path=photo))


def holds_name(name: str) -> bool:
    """Return whether an output holds the photo's name."""
    return name == "areas" or (name in writers and writers[name].named is not None)


def media_type(output: Writer) -> str:
    """Return the media type of an output."""
    return MEDIA_TYPES[output.suffix]


def encode_areas(photo: str, prediction: Prediction) -> bytes:
    """Return areas.csv as `fullconv predict` writes it for a single photo of this name."""
    rows = [(photo, count_pixels(prediction))]
    return "".join(format_csv(rows, prediction.classes)).encode("utf-8", "backslashreplace")


def encode_json(served: ServedModel, prediction: Prediction) -> bytes:
    """Return masks, areas and the model in one JSON object.

    The masks are PNG files as base64: the labels and the second most probable class with values
    that are classes, and the probability of the predicted class times 255.
    """
    height, width = prediction.labels.shape
    runner_up = encode_labels(second_labels(prediction), prediction.palette)
    values = {
        "image": {"width": width, "height": height},
        "segmentation_mask": _base64(encode_label_map(prediction)),
        "confidence_mask": _base64(encode_confidence(prediction)),
        "runner_up_mask": _base64(runner_up),
        "class_map": {str(label): name for label, name in enumerate(prediction.classes)},
        "areas": prediction.areas,
        "note": prediction.note,
        "model": {"name": served.name, "fingerprint": served.fingerprint},
    }
    return json_bytes(values)


def second_labels(prediction: Prediction) -> UInt8[np.ndarray, "H W"]:
    """Return the class of the second largest score of each pixel; the only one of a single class.

    Args:
        prediction: with scores.
    """
    score = prediction.score_array
    assert score is not None
    if len(score) == 1:
        return prediction.labels
    found = np.empty(prediction.labels.shape, np.uint8)
    top = 0
    for rows in row_blocks(prediction.labels):
        block = score[:, top : top + len(rows)].copy()
        best = largest_scores(block)[None].astype(np.intp)
        np.put_along_axis(block, best, -np.inf, 0)
        found[top : top + len(rows)] = largest_scores(block)
        top += len(rows)
    return found


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
