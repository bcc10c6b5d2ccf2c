"""The photo under the colours of its classes, as a JPEG."""

from fullconv.batch.writers import Writer, writers
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_jpeg


def encode(prediction: Prediction) -> bytes:
    """Return a JPEG of the photo under half-transparent colours, above a legend."""
    return encode_jpeg(prediction.overlay())


writers.register("overlay")(
    Writer(".jpg", encode, "JPEG: the photo under the classes' colours, with a legend")
)
