"""Test-time augmentation (TTA): average the probabilities of several scales and flips."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fullconv.config import RGB, Head
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.prediction import Prediction, photo_of
from fullconv.inference.predictor import plan_prediction, predict, split_scores, with_heads
from fullconv.inference.score_labels import largest_scores
from fullconv.inference.stopping import Stop, never
from fullconv.inference.tta_scales import SCALES, check_scales
from fullconv.io.images import fit_size, scale_image
from fullconv.io.palettes import Palette


def predict_averaged(
    network: nn.Module | ExportedFile,
    image: UInt8[np.ndarray, "H W C"],
    classes: Sequence[str],
    palette: Palette,
    size: tuple[int, int] | None,
    scales: Sequence[float],
    *,
    input_scale: float = 1.0,
    memory: int | str | None = None,
    held: int = 0,
    stop: Stop = never,
    heads: Sequence[Head] = (),
) -> Prediction:
    """Predict an image with test-time augmentation.

    The arguments are those of `predict`; `scales` are factors on the (height, width) of a plain
    prediction. The score of the prediction is the logarithm of the mean probability; the
    probabilities of several heads are averaged each for itself.

    Raises:
        ConfigError: `check_scales` refuses the scales.
        MemoryBudgetError: `memory` is too small.
    """
    scores = sum(len(head.classes) for head in heads) or len(classes)

    def score(view: UInt8[np.ndarray, "h w C"]) -> Float[Tensor, "K h w"]:
        # The view has its final size; fitting it into `size` would make all scales equal.
        beside = held + _held_beside(image.shape, view.shape, scores)
        prediction = predict(
            network, view, classes, palette, memory=memory, scores=True, held=beside, stop=stop
        )
        assert prediction.score is not None
        return prediction.score

    sizing: Any = {"size": size, "input_scale": input_scale}
    averaged = average_score(score, image, scales, heads=heads, **sizing).numpy()
    found = Prediction(photo_of(image), averaged, tuple(classes), tuple(palette))
    if not heads:
        return found
    return with_heads(found, heads, [*map(largest_scores, split_scores(averaged, heads))])


def averaging_bytes(
    network: nn.Module | ExportedFile,
    shape: tuple[int, int],
    size: tuple[int, int] | None,
    input_scale: float,
    scales: Sequence[float],
    classes: int,
    memory: int | str | None = None,
    held: int = 0,
    bands: int = RGB,
) -> int:
    """Return the bytes that `predict_averaged` takes for an image of `shape` (height, width).

    Raises:
        MemoryBudgetError: `memory` is too small.
    """
    peaks = []
    for view in (fit_size(shape, size, input_scale * scale) for scale in scales):
        beside = held + _held_beside(shape, view, classes)
        planned = plan_prediction(
            network, view, None, 1.0, memory, scores=True, held=beside, bands=bands
        )
        peaks.append(planned.peak)
    return max(peaks)


def _held_beside(shape: tuple[int, ...], view: tuple[int, ...], classes: int) -> int:
    """Return the bytes held beside a view's scores: three scores of the image, and the view."""
    return 12 * classes * math.prod(shape[:2]) + 6 * math.prod(view[:2])


@torch.inference_mode()
def average_score(
    score_function: Callable[[UInt8[np.ndarray, "h w C"]], Float[Tensor, "K h w"]],
    image: UInt8[np.ndarray, "H W C"],
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    size: tuple[int, int] | None = None,
    input_scale: float = 1.0,
    heads: Sequence[Head] = (),
) -> Float[Tensor, "K H W"]:
    """Return the logarithm of the mean softmax over all views of an image.

    The score of each view is resized to the image's size (bilinear, corners not aligned), flipped
    back, and turned into probabilities. The logarithm of the mean keeps probabilities that float32
    would round to zero. At most two scores per class are in memory.

    Args:
        score_function: an image of any size -> its score before softmax, at that size. It must not
            downscale its input to fit `size`.
        image: in [0, 255].
        scales: factors on height and width; 1 is the size of a plain prediction.
        flip: also score each view flipped horizontally.
        size: (height, width) that a plain prediction downscales images to fit; None for no limit.
        input_scale: factor that it scales them by, after `size`.
        heads: ranges of the scores, each with probabilities of its own; () for one.

    Raises:
        ConfigError: `check_scales` refuses the scales.
    """
    check_scales(scales)
    total: Tensor | None = None
    for view, flipped in views(image, [input_scale * scale for scale in scales], flip, size):
        score = score_function(view)
        score = score.flip(-1) if flipped else score
        logarithm = _log_probabilities(_resized(score, image.shape[:2]), heads)
        total = logarithm if total is None else torch.logaddexp(total, logarithm, out=total)
    assert total is not None  # there is at least one scale
    return total.sub_(math.log(len(scales) * (1 + flip)))


def _log_probabilities(
    score: Float[Tensor, "K H W"], heads: Sequence[Head]
) -> Float[Tensor, "K H W"]:
    if not heads:
        return score.log_softmax(0)
    parts = torch.split(score, [len(head.classes) for head in heads])
    return torch.cat([part.log_softmax(0) for part in parts])


def views(
    image: UInt8[np.ndarray, "H W C"],
    scales: Sequence[float],
    flip: bool,
    size: tuple[int, int] | None = None,
) -> Iterator[tuple[UInt8[np.ndarray, "h w C"], bool]]:
    """Yield the image at each scale, and flipped if wanted, with whether it is flipped."""
    for scale in scales:
        view = scale_image(image, fit_size(image.shape, size, scale))
        yield view, False
        if flip:
            yield view[:, ::-1].copy(), True  # contiguous even where one pixel wide


def _resized(score: Float[Tensor, "K h w"], size: tuple[int, ...]) -> Float[Tensor, "K H W"]:
    if score.shape[1:] == torch.Size(size):
        return score.float()
    return F.interpolate(score[None].float(), size, mode="bilinear", align_corners=False)[0]
