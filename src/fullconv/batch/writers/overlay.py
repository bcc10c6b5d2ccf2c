"""The answer's colours over the photo, with a legend, as a JPEG."""

from fullconv.batch.writers import Writer, writers
from fullconv.inference.predictor import Prediction
from fullconv.io.images import encode_jpeg


def encode(answer: Prediction) -> bytes:
    """The photo under half-transparent colours, and below it the classes that occur."""
    return encode_jpeg(answer.overlay())


writers.register("overlay")(
    Writer(".jpg", encode, "JPEG: the classes' colours over the photo, with a legend")
)
