"""Dice loss (Milletari et al., 2016): overlap of prediction and ground truth, per class.

Without squares in the denominator, and over the whole batch.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term
from fullconv.training.target import Target, at_least_float32


@losses.register("dice")
class Dice(Term):
    """1 - 2 |P and T| / (|P| + |T|), averaged over the classes that occur in the batch."""

    takes_weights = False

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the loss, with probabilities as the sizes of the predicted sets."""
        probabilities = at_least_float32(score).softmax(1) * target.valid[:, None]
        classes = torch.arange(score.shape[1], device=score.device)
        mask = target.labels[:, None] == classes[:, None, None]
        intersection = (probabilities * mask).sum((0, 2, 3))
        true_pixels = mask.sum((0, 2, 3))
        present = true_pixels > 0
        sizes = (probabilities.sum((0, 2, 3)) + true_pixels).where(present, 1)
        return ((1 - 2 * intersection / sizes) * present).sum() / present.sum().clamp(min=1)

    def normalizer(self, target: Target) -> Tensor:
        """Return the number of valid pixels: parts of a batch only approximate the whole."""
        return target.valid.sum()

    def describe(self) -> str:
        """Return the loss in a few words."""
        return "Dice loss"
