"""The photo under the colours of its classes, as a JPEG."""

from fullconv.batch.writers import Writer, writers
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_jpeg, fit_size, scale_image

MAX_SIDE = 65_500
"""Pixels of the longest side of a JPEG."""


def encode(prediction: Prediction) -> bytes:
    """Return a JPEG of the photo under half-transparent colours, above a legend.

    It is scaled down if one of its sides is too long for a JPEG.
    """
    picture = prediction.overlay()
    if max(picture.shape) > MAX_SIDE:
        picture = scale_image(picture, fit_size(picture.shape, (MAX_SIDE, MAX_SIDE)))
    return encode_jpeg(picture)


writers.register("overlay")(
    Writer(".jpg", encode, "JPEG: the photo under the classes' colours, with a legend")
)
