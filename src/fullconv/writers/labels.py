"""The class of every pixel, as an indexed PNG."""

from fullconv.images import encode_labels
from fullconv.prediction import Prediction
from fullconv.writers import Writer, writers


def encode(answer: Prediction) -> bytes:
    """Pixel values are classes; the palette shows them in their colours."""
    return encode_labels(answer.labels, answer.palette)


writers.register("labels")(
    Writer(".png", encode, "indexed PNG: pixel values are the classes, shown in their colours")
)
