"""Online hard example mining (OHEM, Shrivastava et al., 2016): only hard pixels count."""

import math

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term
from fullconv.training.target import MIN_WEIGHT, Target


@losses.register("ohem")
class HardPixels(Term):
    """Mean cross entropy over the pixels whose true class has a low probability.

    Attributes:
        confidence: a pixel is hard while its true class's probability is lower.
        share: of the valid pixels, the hardest ones that always count.
    """

    takes_smoothing = True
    confidence: float = Field(0.7, gt=0, lt=1)
    share: float = Field(0.0625, gt=0, le=1)

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the (weighted) mean over the hard pixels of the whole batch."""
        nll = target.negative_log_likelihood(score.detach())[target.valid]
        hard = int((nll > -math.log(self.confidence)).sum())
        minimum = math.ceil(self.share * len(nll))
        # A stable sort, so the choice among equal pixels is reproducible.
        chosen = nll.argsort(descending=True, stable=True)[: max(hard, minimum)]
        weight = target.pixel_weights()[target.valid][chosen]
        entropy = target.cross_entropy(score)[target.valid][chosen]
        return entropy.sum() / weight.sum().clamp(min=MIN_WEIGHT)

    def normalizer(self, target: Target) -> Tensor:
        """Return the number of valid pixels: parts of a batch only approximate the whole."""
        return target.valid.sum()

    def describe(self) -> str:
        """Return the loss in a few words."""
        return (
            f"cross entropy of the hard pixels (true class below {100 * self.confidence:g} %, at "
            f"least {100 * self.share:g} % of the pixels)"
        )
