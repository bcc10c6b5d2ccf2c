"""The answer's colours over the photo, with a legend, as a JPEG."""

from fullconv.images import encode_jpeg
from fullconv.prediction import Prediction
from fullconv.writers import Writer, writers


def encode(answer: Prediction) -> bytes:
    """The photo under half-transparent colours, and below it the classes that occur."""
    return encode_jpeg(answer.overlay())


writers.register("overlay")(
    Writer(".jpg", encode, "JPEG: the classes' colours over the photo, with a legend")
)
