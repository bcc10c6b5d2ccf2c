"""One answer out of several: the photo at other scales and mirrored, the probabilities averaged."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.errors import ConfigError
from fullconv.io.images import fit_size, scale_image

SCALES = (0.75, 1.0, 1.25)
"""What is averaged unless said otherwise: with mirroring, the work of 6.25 answers."""


@torch.inference_mode()
def averaged(
    score_function: Callable[[UInt8[np.ndarray, "h w 3"]], Float[Tensor, "K h w"]],
    image: UInt8[np.ndarray, "H W 3"],
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    size: tuple[int, int] | None = None,
) -> Float[Tensor, "K H W"]:
    """The score whose softmax is the mean, over scales and mirrorings, of the scores' softmaxes.

    Each view of the photo is scored at its own size; the score is brought back to the photo's size
    (bilinearly, corners not aligned), unmirrored, and becomes probabilities. Their mean is kept as
    its logarithm, which nothing rounds to zero. Two scores a class are in memory at a time.

    Args:
        score_function: a photo of any size -> its score, of that size, before softmax. It must not
            scale photos down to fit `size`: then all scales would be one.
        image: the photo, RGB in [0, 255].
        scales: factors on height and width; 1 is the photo as one plain answer sees it.
        flip: whether each is also seen with left and right exchanged.
        size: the (height, width) that photos are scaled down to fit for one plain answer; None is
            never.

    Raises:
        ConfigError: scales that `check_scales` refuses.
    """
    check_scales(scales)
    total: Tensor | None = None
    for view, mirrored in views(image, scales, flip, size):
        score = score_function(view)
        score = score.flip(-1) if mirrored else score
        logarithm = _resized(score, image.shape[:2]).log_softmax(0)
        total = logarithm if total is None else torch.logaddexp(total, logarithm, out=total)
    assert total is not None  # there is at least one scale
    return total.sub_(math.log(len(scales) * (1 + flip)))


def views(
    image: UInt8[np.ndarray, "H W 3"],
    scales: Sequence[float],
    flip: bool,
    size: tuple[int, int] | None = None,
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], bool]]:
    """The photo at each scale, and mirrored; whether it is says the second value."""
    for scale in scales:
        view = scale_image(image, fit_size(image.shape, size, scale))
        yield view, False
        if flip:
            yield view[:, ::-1].copy(), True  # contiguous even where one pixel wide


def work(scales: Sequence[float], flip: bool) -> float:
    """How many times the pixels of one plain answer are computed."""
    return sum(scale * scale for scale in scales) * (1 + flip)


def check_scales(scales: Sequence[float]) -> None:
    """Refuse scales that cannot be meant.

    Raises:
        ConfigError: none, one outside [0.1, 10], or one twice.
    """
    if not scales or len(set(scales)) < len(scales) or not all(0.1 <= s <= 10 for s in scales):
        shown = ", ".join(f"{scale:g}" for scale in scales) or "none"
        raise ConfigError(f"scales {shown}: expected some numbers from 0.1 to 10, each once")


def _resized(score: Float[Tensor, "K h w"], size: tuple[int, ...]) -> Float[Tensor, "K H W"]:
    if score.shape[1:] == torch.Size(size):
        return score.float()
    return F.interpolate(score[None].float(), size, mode="bilinear", align_corners=False)[0]
