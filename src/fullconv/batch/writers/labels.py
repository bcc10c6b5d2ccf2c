"""Labels as an indexed PNG."""

from fullconv.batch.writers import Writer, writers
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_labels


def encode(prediction: Prediction) -> bytes:
    """Return an indexed PNG: pixel values are classes, shown in the palette's colours."""
    return encode_labels(prediction.labels, prediction.palette)


writers.register("labels")(
    Writer(
        ".png",
        encode,
        "indexed PNG: pixel values are the classes, shown in their colours",
        pixel_bytes=4,
    )
)
