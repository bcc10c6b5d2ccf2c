"""What training lowers. One file a kind of loss; this folder is the list of them.

A sum of kinds is written as one text, e.g. "cross-entropy+0.5*lovasz" or "focal(gamma=1)+dice".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv._registry import Registry
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.training.losses._base import Term, Truth

losses: Registry[type[Term]] = Registry("fullconv.training.losses", "loss")

EXAMPLE = '"cross-entropy+0.5*dice"'
_TERM = re.compile(
    r"(?:(?P<factor>[0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*\*\s*)?"
    r"(?P<name>[\w-]+)\s*(?:\((?P<options>[^()]*)\))?"
)
_OPTION = re.compile(r"(?P<name>\w+)\s*=\s*(?P<value>[^\s=]+)")


@dataclass(frozen=True)
class Loss:
    """A sum of losses: (score, labels) -> scalar, 0 without gradient where all is void.

    Attributes:
        terms: each with its factor.
        weights: of each class; None is 1 for all.
        smoothing: share of every label that is spread over all classes, in [0, 1).
    """

    terms: tuple[tuple[float, Term], ...]
    weights: Float[Tensor, " K"] | None = None
    smoothing: float = 0.0

    def __call__(
        self,
        score: Float[Tensor, "B K H W"],
        labels: Int64[Tensor, "B H W"],
        whole: Float[Tensor, " terms"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss, computed in float32 or better whatever the score is.

        Args:
            score: before softmax.
            labels: classes, or 255 for void.
            whole: `amounts` of all that a step sees, where these are one part of it: the parts'
                losses then add up to the step's, whatever their share of void is.
        """
        truth = Truth(labels, self.weights, self.smoothing)
        total = torch.zeros((), device=score.device)
        for index, (factor, term) in enumerate(self.terms):
            share = 1.0 if whole is None else float(term.amount(truth)) / float(whole[index] or 1)
            total = total + factor * share * term(score, truth)
        return total

    def amounts(self, labels: Int64[Tensor, "B H W"]) -> Float[Tensor, " terms"]:
        """How much each term averages over; amounts of parts add up to that of the whole."""
        truth = Truth(labels, self.weights, self.smoothing)
        found = torch.stack([term.amount(truth) for _, term in self.terms])
        return found if found.device.type == "mps" else found.double()

    def describe(self) -> str:
        """The loss in words, for a report."""
        said = [
            term.describe() if factor == 1 else f"{factor:g} x {term.describe()}"
            for factor, term in self.terms
        ]
        notes = ["classes weighted"] * (self.weights is not None)
        notes += [f"labels smoothed by {self.smoothing:g}"] * (self.smoothing > 0)
        return "; ".join([" + ".join(said), *notes])


def make_loss(
    spec: str, weights: Float[Tensor, " K"] | None = None, smoothing: float = 0.0
) -> Loss:
    """The loss that a text describes.

    Args:
        spec: names with a factor and settings where wished: "cross-entropy+0.5*lovasz".
        weights: of each class, for the terms that average over pixels.
        smoothing: of the labels, in [0, 1), for the cross entropies.

    Raises:
        ConfigError: the text is no such sum, or nothing in it takes the weights or the smoothing.
    """
    terms = tuple(_term(part.strip(), spec) for part in spec.split("+"))
    if weights is not None and not any(term.weighs for _, term in terms):
        raise ConfigError(
            f"loss is {spec!r}, which counts every class alike by itself and takes no class "
            "weights: leave --balance at none, or add a loss over pixels, e.g. cross-entropy"
        )
    if smoothing and not any(term.smooths for _, term in terms):
        raise ConfigError(
            f"label_smoothing is {smoothing:g}, but loss is {spec!r}, which has no use for it; "
            f"these have: {', '.join(name for name in losses if losses[name].smooths)}"
        )
    return Loss(terms, weights, smoothing)


def _term(text: str, spec: str) -> tuple[float, Term]:
    found = _TERM.fullmatch(text)
    if not found:
        raise ConfigError(
            f"loss is {spec!r}: expected names joined as in {EXAMPLE}, not {text!r}; "
            f"the names are {', '.join(losses)}"
        )
    try:
        kind = losses[found["name"]]
    except UnknownNameError as error:
        raise ConfigError(f"loss is {spec!r}: {error}; joined as in {EXAMPLE}") from error
    factor = float(found["factor"] or 1)
    if not 0 < factor < float("inf"):
        raise ConfigError(f"loss is {spec!r}: a factor is a number above 0, not {factor:g}")
    try:
        return factor, kind.checked(**_options(found["options"] or "", found["name"], kind))
    except ConfigError as error:
        raise ConfigError(f"loss is {spec!r}: {error}") from error


def _options(text: str, name: str, kind: type[Term]) -> Mapping[str, str]:
    known = kind.model_fields
    form = f"{name}({', '.join(f'{key}={field.default:g}' for key, field in known.items())})"
    if text and not known:
        raise ConfigError(f"{name} has no settings; expected {name!r} alone")
    options = {}
    for part in filter(None, text.split(",")):
        found = _OPTION.fullmatch(part.strip())
        if not found or found["name"] not in known:
            raise ConfigError(f"expected settings as in {form}, not {part.strip()!r}")
        options[found["name"]] = found["value"]
    return options
