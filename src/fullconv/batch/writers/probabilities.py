"""Class probabilities as a NumPy array, and the probability of the predicted class as a PNG."""

import io

import numpy as np

from fullconv.batch.writers import Writer, writers
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_grey


def encode(prediction: Prediction) -> bytes:
    """Return a .npy file (K, H, W) of float16 in [0, 1]."""
    return _encode_npy(prediction.probabilities.astype(np.float16))


def encode_bytes(prediction: Prediction) -> bytes:
    """Return a .npy file (K, H, W) of uint8: probability times 255, with an error of 0.002."""
    return _encode_npy((prediction.probabilities * 255).round().astype(np.uint8))


def encode_confidence(prediction: Prediction) -> bytes:
    """Return a grey PNG: the probability of the predicted class, times 255."""
    best = prediction.probabilities.max(0)
    return encode_grey((best * 255).round().astype(np.uint8))


def _encode_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


writers.register("probabilities")(
    Writer(
        ".npy",
        encode,
        "NumPy array (classes, height, width) of float16 in [0, 1]",
        scores=True,
        score_bytes=10,
    )
)
writers.register("probabilities8")(
    Writer(
        ".npy",
        encode_bytes,
        "the same as uint8, times 255: half the size",
        scores=True,
        score_bytes=15,
    )
)
writers.register("confidence")(
    Writer(
        ".png",
        encode_confidence,
        "grey PNG: the probability of the predicted class, times 255",
        scores=True,
        score_bytes=4,
    )
)
