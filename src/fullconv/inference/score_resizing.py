"""Resize scores to the size of a photo without PyTorch."""

import numpy as np
from jaxtyping import Float, Int64

BLOCK = 2**16  # pixels at a time; they stay in the core's cache


def resize_scores(
    score: Float[np.ndarray, "K h w"], size: tuple[int, int]
) -> Float[np.ndarray, "K H W"]:
    """Return scores of another (height, width): bilinear, corners not aligned.

    It is what `torch.nn.functional.interpolate` computes with `align_corners=False`, except for the
    rounding of the last digits.
    """
    height, width = size
    if score.shape[2] != width:
        left, right, share = _neighbours(score.shape[2], width)
        near, score = np.take(score, left, 2), np.take(score, right, 2)
        _mix(near, score, share)
    if score.shape[1] == height:
        return score
    above, below, share = _neighbours(score.shape[1], height)
    found = np.empty((len(score), height, width), np.float32)
    count = max(1, BLOCK // width)
    for layer, result in zip(score, found, strict=True):
        for top in range(0, height, count):
            rows = slice(top, top + count)
            part = result[rows]
            np.take(layer, below[rows], 0, out=part, mode="clip")  # the default mode makes a copy
            _mix(layer[above[rows]], part, share[rows, None])
    return found


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> None:
    """Write `first + share * (second - first)` into `second`; equal values stay exactly the same.

    Args:
        first: scores.
        second: those of the next pixels.
        share: of the second ones, in [0, 1].
    """
    second -= first
    second *= share
    second += first


def _neighbours(
    before: int, after: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the two pixels of a side that each new one is between, and the second one's share.

    Args:
        before: pixels of the side.
        after: likewise, of the result.
    """
    # As PyTorch computes them, in float32, whose rounding moves a score more than the rest does.
    half, scale = np.float32(0.5), np.float32(before / after)
    position = np.maximum((np.arange(after, dtype=np.float32) + half) * scale - half, np.float32(0))
    first = np.minimum(position.astype(np.int64), before - 1)
    second = np.minimum(first + 1, before - 1)
    return first, second, position - first.astype(np.float32)
