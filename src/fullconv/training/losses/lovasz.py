"""Lovász-softmax (Berman et al., 2018): a continuous extension of IoU itself."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term
from fullconv.training.target import Target, at_least_float32

INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}  # of the same width


@losses.register("lovasz")
class Lovasz(Term):
    """The Lovász extension of 1 - IoU, averaged over the classes that occur in the batch."""

    takes_weights = False

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the loss over all valid pixels of the batch."""
        # An ignored pixel has probability 0 of all classes, so its error is 0 and comes last.
        probabilities = at_least_float32(score).softmax(1) * target.valid[:, None]
        by_class = probabilities.movedim(1, 0).flatten(1).unbind()
        labels = target.labels.flatten()
        present = torch.unique(target.labels[target.valid]).tolist()
        per_class = [lovasz_extension(by_class[label], labels == label) for label in present]
        # Without valid pixels: an empty sum, which is 0 and has a gradient.
        return torch.stack(per_class).mean() if per_class else probabilities.sum()

    def normalizer(self, target: Target) -> Tensor:
        """Return the number of valid pixels: parts of a batch only approximate the whole."""
        return target.valid.sum()

    def describe(self) -> str:
        """Return the loss in a few words."""
        return "Lovász-softmax"


def lovasz_extension(
    probability: Float[Tensor, " N"], mask: Bool[Tensor, " N"]
) -> Float[Tensor, ""]:
    """Compute 1 - IoU of one class for probabilities; it is exact where they are 0 or 1.

    The errors are sorted, largest first; each is weighted by its increment of 1 - IoU. The
    increments are written out, since the difference of two IoUs of a million pixels has no
    significant digits in float32.

    Args:
        probability: of the class, in [0, 1].
        mask: whether each pixel has the class; at least one has.
    """
    errors = torch.where(mask, 1 - probability, probability)
    # The bits of non-negative floats sort as the floats do, seven times as fast.
    order = (-errors.detach().view(INTEGERS[errors.dtype])).argsort(stable=True)
    sorted_mask = mask[order]
    intersection = (mask.sum() - sorted_mask.cumsum(0)).to(errors.dtype)
    union = (mask.sum() + (~sorted_mask).cumsum(0)).to(errors.dtype)
    increments = torch.where(
        sorted_mask, 1 / union, intersection / (union * (union - 1).clamp(min=1))
    )
    return (errors * torch.empty_like(errors).scatter(0, order, increments)).sum()
