"""What the losses share: which pixels count, what each of them weighs, and their cross entropy."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fullconv.config import Settings
from fullconv.io.palettes import VOID

LEAST = 1e-12  # instead of dividing by no weight at all


def cross_entropy(
    score: Float[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean cross entropy over the pixels that are not void; 0 where all of them are.

    The authors sum instead (paper, section 4.3): a learning rate for their sum is one for this
    mean divided by the number of valid pixels.

    Args:
        score: before softmax.
        labels: classes, or 255 for void.
        weights: of each class; the mean is then weighted. None is 1 for all, as in the paper.
        smoothing: share of every label that is spread evenly over all classes, in [0, 1).
    """
    truth = Truth(labels, weights, smoothing)
    if weights is None:
        count = truth.valid.sum().clamp(min=1)
    else:
        count = truth.weight().sum().clamp(min=LEAST)
    return truth.entropy(score, "sum") / count


@dataclass(frozen=True)
class Truth:
    """Labels, and how much each class and each label is worth.

    Attributes:
        labels: classes, or 255 for void.
        weights: of each class; None is 1 for all.
        smoothing: share of every label that is spread evenly over all classes, in [0, 1).
    """

    labels: Int64[Tensor, "B H W"]
    weights: Float[Tensor, " K"] | None = None
    smoothing: float = 0.0

    @property
    def valid(self) -> Bool[Tensor, "B H W"]:
        """Where the labels are not void."""
        return self.labels != VOID

    def weight(self) -> Float[Tensor, "B H W"]:
        """Each pixel's: that of its class, 0 at void."""
        if self.weights is None:
            return self.valid.float()
        return self.weights[self.labels.where(self.valid, 0)] * self.valid

    def entropy(self, score: Float[Tensor, "B K H W"], reduction: str = "none") -> Tensor:
        """Cross entropy of each pixel times its weight, (B, H, W) with 0 at void, or their sum."""
        score = precise(score)
        weights = None if self.weights is None else self.weights.to(score.dtype)
        return F.cross_entropy(
            score,
            self.labels,
            weights,
            ignore_index=VOID,
            reduction=reduction,
            label_smoothing=self.smoothing,
        )

    def surprise(self, score: Float[Tensor, "B K H W"]) -> Float[Tensor, "B H W"]:
        """-ln of the true class's probability, whatever it weighs; 0 at void."""
        return Truth(self.labels).entropy(score)


def precise(score: Tensor) -> Tensor:
    """The score in float32, or float64 where it is that: sums over pixels overflow in half."""
    return score if score.dtype in (torch.float32, torch.float64) else score.float()


class Term(Settings, ABC):
    """One kind of loss; its fields are what can be set in parentheses after its name.

    Attributes:
        weighs: whether it takes class weights.
        smooths: whether it takes smoothed labels.
    """

    weighs: ClassVar[bool] = True
    smooths: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The loss; 0 where all is void, and its gradient too."""

    @abstractmethod
    def describe(self) -> str:
        """The loss in a few words."""

    def amount(self, truth: Truth) -> Tensor:
        """What it averages over: the weights of the pixels that are not void."""
        return truth.weight().sum()
