"""The class of every pixel, as an indexed PNG."""

from fullconv.batch.writers import Writer, writers
from fullconv.inference.predictor import Prediction
from fullconv.io.images import encode_labels


def encode(answer: Prediction) -> bytes:
    """Pixel values are classes; the palette shows them in their colours."""
    return encode_labels(answer.labels, answer.palette)


writers.register("labels")(
    Writer(".png", encode, "indexed PNG: pixel values are the classes, shown in their colours")
)
