"""Focal loss (Lin et al., 2017): cross entropy that gives easy pixels a low weight."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term
from fullconv.training.target import MIN_WEIGHT, Target


@losses.register("focal")
class Focal(Term):
    """Mean of -(1 - p)^gamma ln p over the pixels, where p is the true class's probability.

    Attributes:
        gamma: 0 is the cross entropy; higher values give easy pixels less weight.
    """

    gamma: float = Field(2.0, ge=0, le=10)

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the mean, weighted by the class weights if there are any."""
        nll = target.negative_log_likelihood(score)
        # 1 - p without cancellation. The power's slope at 0 is infinite below gamma 1.
        miss = (-torch.expm1(-nll)).clamp(min=torch.finfo(nll.dtype).tiny)
        weight = target.pixel_weights()
        return (weight * miss**self.gamma * nll).sum() / weight.sum().clamp(min=MIN_WEIGHT)

    def describe(self) -> str:
        """Return the loss in a few words."""
        return f"focal loss (gamma {self.gamma:g})"
