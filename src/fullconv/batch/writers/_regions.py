"""What the writers for labelling tools share: masks of the classes, and their memory."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from fullconv.data.labels.polygonize import count_edges
from fullconv.data.labels.special_names import is_background
from fullconv.inference.prediction import Prediction
from fullconv.io.palettes import VOID


def class_masks(
    labels: UInt8[np.ndarray, "H W"], classes: Sequence[str]
) -> Iterator[tuple[int, Bool[np.ndarray, "H W"]]]:
    """Yield label and mask of each class that occurs, without a background and void pixels.

    These tools take pixels without a shape for the background.
    """
    for label in np.unique(labels).tolist():
        if label != VOID and not is_background(classes[label]):
            yield label, labels == label


def encoding_bytes(prediction: Prediction, per_pixel: int, per_edge: int) -> int:
    """Return the memory for a prediction's shapes, which depends on the edges of its regions."""
    labels = prediction.labels
    return per_pixel * labels.size + per_edge * count_edges(labels)
