"""Lovász-softmax: intersection over union itself, made continuous (Berman et al., 2018)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term, Truth, precise

BITS = {torch.float32: torch.int32, torch.float64: torch.int64}  # whole numbers of that width


@losses.register("lovasz")
class Lovasz(Term):
    """The Lovász extension of 1 - IU, the mean over the classes that occur in the batch."""

    weighs = False

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """Over all the pixels of the batch that are not void."""
        probabilities = precise(score).softmax(1).movedim(1, 0)[:, truth.valid].unbind()
        labels = truth.labels[truth.valid]
        present = torch.unique(labels).tolist()
        each = [extension(probabilities[label], labels == label) for label in present]
        return torch.stack(each).mean() if each else probabilities[0].sum()  # a sum of nothing

    def amount(self, truth: Truth) -> Tensor:
        """The pixels that are not void: parts of a batch come near to the whole, not exactly."""
        return truth.valid.sum()

    def describe(self) -> str:
        """The loss in a few words."""
        return "Lovász-softmax"


def extension(probability: Float[Tensor, " N"], inside: Bool[Tensor, " N"]) -> Float[Tensor, ""]:
    """1 - IU of one class, for answers between no and yes: exact where they are 0 or 1.

    The largest errors are made first; each weighs what it adds to 1 - IU. The additions are
    written out, since the difference of two IUs of a million pixels has no digits in float32.

    Args:
        probability: that each pixel is of the class, in [0, 1].
        inside: whether it is; at least one is.
    """
    errors = torch.where(inside, 1 - probability, probability)
    # The bits of numbers from 0 on are ordered as they are, and bits sort seven times as fast.
    order = (-errors.detach().view(BITS[errors.dtype])).argsort(stable=True)
    sorted_inside = inside[order]
    kept = (inside.sum() - sorted_inside.cumsum(0)).to(errors.dtype)
    union = (inside.sum() + (~sorted_inside).cumsum(0)).to(errors.dtype)
    added = torch.where(sorted_inside, 1 / union, kept / (union * (union - 1).clamp(min=1)))
    return (errors * torch.empty_like(errors).scatter(0, order, added)).sum()
