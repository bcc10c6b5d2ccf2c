"""How sure the answer is of each pixel, as a grey PNG."""

import numpy as np

from fullconv.images import encode_grey
from fullconv.prediction import Prediction
from fullconv.writers import Writer, writers


def encode(answer: Prediction) -> bytes:
    """The probability of the pixel's class, times 255 and rounded: black is unsure, white sure."""
    best = answer.probabilities.max(0)
    return encode_grey((best * 255).round().astype(np.uint8))


writers.register("confidence")(
    Writer(".png", encode, "grey PNG: the probability of the pixel's class, times 255", scores=True)
)
