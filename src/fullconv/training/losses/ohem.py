"""Hard pixels only: online hard example mining (Shrivastava et al., 2016)."""

import math

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import LEAST, Term, Truth


@losses.register("ohem")
class HardPixels(Term):
    """Mean cross entropy over the pixels whose true class is not yet probable.

    Attributes:
        confidence: a pixel is hard while its true class is less probable than this.
        share: of the pixels that are not void, the hardest that count in any case.
    """

    smooths = True
    confidence: float = Field(0.7, gt=0, lt=1)
    share: float = Field(0.0625, gt=0, le=1)

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The hard pixels are those of the whole batch; the mean is weighted where classes are."""
        surprise = truth.surprise(score.detach())[truth.valid]
        hard = int((surprise > -math.log(self.confidence)).sum())
        fewest = math.ceil(self.share * len(surprise))
        # Stable, so that equal pixels are not chosen by chance.
        chosen = surprise.argsort(descending=True, stable=True)[: max(hard, fewest)]
        weight = truth.weight()[truth.valid][chosen]
        entropy = truth.entropy(score)[truth.valid][chosen]
        return entropy.sum() / weight.sum().clamp(min=LEAST)

    def amount(self, truth: Truth) -> Tensor:
        """The pixels that are not void: parts of a batch come near to the whole, not exactly."""
        return truth.valid.sum()

    def describe(self) -> str:
        """The loss in a few words."""
        return (
            f"cross entropy of the hard pixels (below {100 * self.confidence:g} % for the truth, "
            f"at least {100 * self.share:g} % of all)"
        )
