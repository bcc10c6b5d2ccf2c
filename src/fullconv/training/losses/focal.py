"""Focal loss: what is already known well counts little (Lin et al., 2017)."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import LEAST, Term, Truth


@losses.register("focal")
class Focal(Term):
    """Mean of -(1 - p)^gamma ln p over the pixels, p being the true class's probability.

    Attributes:
        gamma: 0 is the cross entropy; the higher, the less the easy pixels count.
    """

    gamma: float = Field(2.0, ge=0, le=10)

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The mean, weighted where classes are."""
        surprise = truth.surprise(score)
        # 1 - p without cancellation. The power's slope at 0 is infinite below gamma 1.
        doubt = (-torch.expm1(-surprise)).clamp(min=torch.finfo(surprise.dtype).tiny)
        weight = truth.weight()
        return (weight * doubt**self.gamma * surprise).sum() / weight.sum().clamp(min=LEAST)

    def describe(self) -> str:
        """The loss in a few words."""
        return f"focal loss (gamma {self.gamma:g})"
