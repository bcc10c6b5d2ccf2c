"""The probability of every class at every pixel, as a NumPy array of 16 or 8 bits."""

import io

import numpy as np

from fullconv.batch.writers import Writer, writers
from fullconv.inference.predictor import Prediction
from fullconv.io.images import encode_grey


def encode(answer: Prediction) -> bytes:
    """(K, H, W) of float16, in [0, 1]."""
    return _npy(answer.probabilities.astype(np.float16))


def encode_bytes(answer: Prediction) -> bytes:
    """(K, H, W) of uint8: the probability times 255, rounded, so off by 0.002 at most."""
    return _npy((answer.probabilities * 255).round().astype(np.uint8))


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


writers.register("probabilities")(
    Writer(".npy", encode, "NumPy array (classes, height, width) of float16 in [0, 1]", scores=True)
)
writers.register("probabilities8")(
    Writer(
        ".npy", encode_bytes, "the same in uint8, the value times 255: half the size", scores=True
    )
)


def encode_confidence(answer: Prediction) -> bytes:
    """The probability of the pixel's class, times 255 and rounded: black is unsure, white sure."""
    best = answer.probabilities.max(0)
    return encode_grey((best * 255).round().astype(np.uint8))


writers.register("confidence")(
    Writer(
        ".png",
        encode_confidence,
        "grey PNG: the probability of the pixel's class, times 255",
        scores=True,
    )
)
