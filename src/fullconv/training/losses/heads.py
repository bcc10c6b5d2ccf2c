"""The loss of a network with several heads: a weighted sum of a loss for each."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv.training.losses import Loss


@dataclass(frozen=True)
class HeadsLoss:
    """A weighted sum of the losses of several heads: (score, labels) -> scalar; see `Loss`.

    Attributes:
        parts: the loss of each head.
        names: of the heads.
        scores: number of scores of each.
        factors: of each.
    """

    parts: tuple[Loss, ...]
    names: tuple[str, ...]
    scores: tuple[int, ...]
    factors: tuple[float, ...]

    def __call__(
        self,
        score: Float[Tensor, "B K H W"],
        labels: Int64[Tensor, "B heads H W"],
        totals: Float[Tensor, " terms"] | None = None,
    ) -> Float[Tensor, ""]:
        """Compute the loss; the scores and labels of the heads are side by side."""
        terms = [len(part.terms) for part in self.parts]
        shares = [None] * len(terms) if totals is None else torch.split(totals, terms)
        loss = torch.zeros((), device=score.device)
        heads = torch.split(score, list(self.scores), 1)
        inputs = zip(heads, labels.unbind(1), shares, strict=True)
        for factor, part, given in zip(self.factors, self.parts, inputs, strict=True):
            loss = loss + factor * part(*given)
        return loss

    def normalizers(self, labels: Int64[Tensor, "B heads H W"]) -> Float[Tensor, " terms"]:
        """Return what each term of each head averages over; see `Loss`."""
        rows = zip(self.parts, labels.unbind(1), strict=True)
        return torch.cat([part.normalizers(own) for part, own in rows])

    @property
    def weights(self) -> Float[Tensor, " K"] | None:
        """Weights of the first head's classes; None is 1 for all."""
        return self.parts[0].weights

    def describe(self) -> str:
        """Return the loss in words, for a report."""
        rows = zip(self.factors, self.names, self.parts, strict=True)
        texts = [
            f"{name}: {'' if factor == 1 else f'{factor:g} x '}{part.describe()}"
            for factor, name, part in rows
        ]
        return "; ".join(texts)
