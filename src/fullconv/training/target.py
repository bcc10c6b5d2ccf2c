"""The ground truth of a batch, with class weights, and the cross entropy with it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from fullconv.io.palettes import VOID

MIN_WEIGHT = 1e-12  # avoids a division by zero where no pixel has weight


def cross_entropy(
    score: Float[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Compute the mean cross entropy over all pixels that are not ignored; 0 if all are.

    The authors use the sum instead (PAMI paper, section 4.2): divide a learning rate for this mean
    by the number of valid pixels to get one for their sum.

    Args:
        score: before softmax.
        labels: classes, or 255 (ignore).
        weights: per class, for a weighted mean; None is the plain mean, as in the paper.
        smoothing: share of every label that is spread evenly over all classes, in [0, 1).
    """
    target = Target(labels, weights, smoothing)
    if weights is None:
        normalizer = target.valid.sum().clamp(min=1)
    else:
        normalizer = target.pixel_weights().sum().clamp(min=MIN_WEIGHT)
    return target.cross_entropy(score, "sum") / normalizer


def soft_cross_entropy(
    score: Float[Tensor, "B K H W"],
    soft: UInt8[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the summed cross entropy of a teacher's probabilities (Hinton et al., 2015).

    Divided by `soft_weight` of the same pixels, it is their mean.

    Args:
        score: before softmax.
        soft: probabilities times 255, rounded.
        labels: pixels that are 255 (ignore) are left out.
        weights: per class; None is 1 for all.
    """
    score = at_least_float32(score)
    return -(_soft_target(soft, labels, weights, score.dtype) * score.log_softmax(1)).sum()


def soft_weight(
    soft: UInt8[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    """Return the total weight of a teacher's probabilities; see `soft_cross_entropy`."""
    return _soft_target(soft, labels, weights, torch.float32).sum()


def _soft_target(
    soft: UInt8[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None,
    dtype: torch.dtype,
) -> Float[Tensor, "B K H W"]:
    """Return a teacher's probabilities times the class weights; 0 where labels are ignored."""
    target = soft.to(dtype)
    target = target / target.sum(1, keepdim=True).clamp(min=1)
    target = target * (labels != VOID)[:, None]
    return target if weights is None else target * weights.to(dtype)[:, None, None]


@dataclass(frozen=True)
class Target:
    """The ground truth of a batch, with class weights and label smoothing.

    Attributes:
        labels: classes, or 255 (ignore).
        weights: per class; None is 1 for all.
        smoothing: share of every label that is spread evenly over all classes, in [0, 1).
    """

    labels: Int64[Tensor, "B H W"]
    weights: Float[Tensor, " K"] | None = None
    smoothing: float = 0.0

    @property
    def valid(self) -> Bool[Tensor, "B H W"]:
        """Mask of the pixels that are not ignored."""
        return self.labels != VOID

    def pixel_weights(self) -> Float[Tensor, "B H W"]:
        """Return the class weight of each pixel; 0 for ignored ones."""
        if self.weights is None:
            return self.valid.float()
        return self.weights[self.labels.where(self.valid, 0)] * self.valid

    def cross_entropy(self, score: Float[Tensor, "B K H W"], reduction: str = "none") -> Tensor:
        """Compute the weighted cross entropy: (B, H, W) with 0 for ignored pixels, or its sum."""
        score = at_least_float32(score)
        weights = None if self.weights is None else self.weights.to(score.dtype)
        return F.cross_entropy(
            score,
            self.labels,
            weights,
            ignore_index=VOID,
            reduction=reduction,
            label_smoothing=self.smoothing,
        )

    def negative_log_likelihood(self, score: Float[Tensor, "B K H W"]) -> Float[Tensor, "B H W"]:
        """Compute -ln of the true class's probability, unweighted; 0 for ignored pixels."""
        return Target(self.labels).cross_entropy(score)


def at_least_float32(score: Tensor) -> Tensor:
    """Convert half precision to float32, in which sums over pixels do not overflow."""
    return score if score.dtype in (torch.float32, torch.float64) else score.float()
