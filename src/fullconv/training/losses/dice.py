"""Dice loss: the overlap of answer and truth, every class counting alike (Milletari et al., 2016).

Without squares in the denominator, and over the whole batch.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term, Truth, precise


@losses.register("dice")
class Dice(Term):
    """1 - 2 |answer and truth| / (|answer| + |truth|), the mean over the classes that occur."""

    weighs = False

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """Probabilities take the place of pixels that are counted."""
        probabilities = precise(score).softmax(1) * truth.valid[:, None]
        classes = torch.arange(score.shape[1], device=score.device)
        inside = truth.labels[:, None] == classes[:, None, None]
        hits = (probabilities * inside).sum((0, 2, 3))
        there = inside.sum((0, 2, 3))
        present = there > 0
        both = (probabilities.sum((0, 2, 3)) + there).where(present, 1)
        return ((1 - 2 * hits / both) * present).sum() / present.sum().clamp(min=1)

    def amount(self, truth: Truth) -> Tensor:
        """The pixels that are not void: parts of a batch come near to the whole, not exactly."""
        return truth.valid.sum()

    def describe(self) -> str:
        """The loss in a few words."""
        return "Dice loss"
