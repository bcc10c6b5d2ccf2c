"""Losses, one file each, and weighted sums of them.

A sum is written as text, e.g. "cross-entropy+0.5*lovasz" or "focal(gamma=1)+dice".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv._registry import Registry
from fullconv.config import TrainConfig
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.training.losses._base import Term
from fullconv.training.target import Target

losses: Registry[type[Term]] = Registry("fullconv.training.losses", "loss")

EXAMPLE = '"cross-entropy+0.5*dice"'
_TERM = re.compile(
    r"(?:(?P<factor>[0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*\*\s*)?"
    r"(?P<name>[\w-]+)\s*(?:\((?P<options>[^()]*)\))?"
)
_OPTION = re.compile(r"(?P<name>\w+)\s*=\s*(?P<value>[^\s=]+)")


@dataclass(frozen=True)
class Loss:
    """A weighted sum of losses: (score, labels) -> scalar, 0 if all pixels are ignored.

    Attributes:
        terms: (factor, loss) pairs.
        weights: per class; None is 1 for all.
        smoothing: share of every label that is spread over all classes, in [0, 1).
    """

    terms: tuple[tuple[float, Term], ...]
    weights: Float[Tensor, " K"] | None = None
    smoothing: float = 0.0

    def __call__(
        self,
        score: Float[Tensor, "B K H W"],
        labels: Int64[Tensor, "B H W"],
        totals: Float[Tensor, " terms"] | None = None,
    ) -> Float[Tensor, ""]:
        """Compute the loss, in float32 or better whatever the score's precision.

        Args:
            score: before softmax.
            labels: classes, or 255 (ignore).
            totals: `normalizers` of the whole batch, if these are a part of it: the losses of all
                parts then add up to the batch's, whatever their shares of ignored pixels.
        """
        target = Target(labels, self.weights, self.smoothing)
        loss = torch.zeros((), device=score.device)
        for index, (factor, term) in enumerate(self.terms):
            share = 1.0
            if totals is not None:
                share = float(term.normalizer(target)) / float(totals[index] or 1)
            loss = loss + factor * share * term(score, target)
        return loss

    def normalizers(self, labels: Int64[Tensor, "B H W"]) -> Float[Tensor, " terms"]:
        """Return what each term averages over; those of parts add up to that of the whole."""
        target = Target(labels, self.weights, self.smoothing)
        values = torch.stack([term.normalizer(target) for _, term in self.terms])
        return values if values.device.type == "mps" else values.double()

    def describe(self) -> str:
        """Return the loss in words, for a report."""
        terms = [
            term.describe() if factor == 1 else f"{factor:g} x {term.describe()}"
            for factor, term in self.terms
        ]
        notes = ["with class weights"] * (self.weights is not None)
        notes += [f"label smoothing {self.smoothing:g}"] * (self.smoothing > 0)
        return "; ".join([" + ".join(terms), *notes])


def make_loss(
    spec: str,
    weights: Float[Tensor, " K"] | None = None,
    smoothing: float = 0.0,
    setting: str = "loss",
) -> Loss:
    """Create the loss that a text describes.

    Args:
        spec: names with optional factors and settings: "cross-entropy+0.5*lovasz".
        weights: per class, for the terms that average over pixels.
        smoothing: label smoothing of the cross entropies, in [0, 1).
        setting: what gave the text, for errors.

    Raises:
        ConfigError: the text is invalid, or no term uses the weights or the smoothing.
    """
    terms = tuple(_parse_term(part.strip(), f"{setting} is {spec!r}") for part in spec.split("+"))
    if weights is not None and not any(term.takes_weights for _, term in terms):
        raise ConfigError(
            f"{setting} is {spec!r}, which weighs all classes equally and takes no class weights; "
            "leave --balance at none, or add a loss over pixels, e.g. cross-entropy"
        )
    if smoothing and not any(term.takes_smoothing for _, term in terms):
        supported = ", ".join(name for name in losses if losses[name].takes_smoothing)
        raise ConfigError(
            f"label_smoothing is {smoothing:g}, but {setting} is {spec!r}, which does not support "
            f"it; supported by: {supported}"
        )
    return Loss(terms, weights, smoothing)


def takes_weights(spec: str, setting: str = "loss") -> bool:
    """Whether a term of the loss that a text describes uses class weights.

    Args:
        spec: see `make_loss`.
        setting: likewise.

    Raises:
        ConfigError: the text is invalid.
    """
    return any(term.takes_weights for _, term in make_loss(spec, setting=setting).terms)


def final_loss(config: TrainConfig, weights: Float[Tensor, " K"] | None) -> Loss | None:
    """Return the loss of the last part of a training; None if it is that of the first.

    Class weights and label smoothing are used as far as it takes them.

    Raises:
        ConfigError: the text is invalid.
    """
    if config.final_loss is None:
        return None
    terms = make_loss(config.final_loss, setting="final_loss").terms
    weighted = any(term.takes_weights for _, term in terms)
    smoothed = any(term.takes_smoothing for _, term in terms)
    return Loss(terms, weights if weighted else None, config.label_smoothing if smoothed else 0.0)


def _parse_term(text: str, found: str) -> tuple[float, Term]:
    match = _TERM.fullmatch(text)
    if not match:
        raise ConfigError(
            f"{found}: expected names joined as in {EXAMPLE}, not {text!r}; "
            f"the names are {', '.join(losses)}"
        )
    try:
        kind = losses[match["name"]]
    except UnknownNameError as error:
        raise ConfigError(f"{found}: {error}; joined as in {EXAMPLE}") from error
    factor = float(match["factor"] or 1)
    if not 0 < factor < float("inf"):
        raise ConfigError(f"{found}: a factor must be a number above 0, not {factor:g}")
    try:
        options = _parse_options(match["options"] or "", match["name"], kind)
        return factor, kind.checked(**options)
    except ConfigError as error:
        raise ConfigError(f"{found}: {error}") from error


def _parse_options(text: str, name: str, kind: type[Term]) -> Mapping[str, str]:
    known = kind.model_fields
    form = f"{name}({', '.join(f'{key}={field.default:g}' for key, field in known.items())})"
    if text and not known:
        raise ConfigError(f"{name} has no settings; expected {name!r} alone")
    options = {}
    for part in filter(None, text.split(",")):
        match = _OPTION.fullmatch(part.strip())
        if not match or match["name"] not in known:
            raise ConfigError(f"expected settings as in {form}, not {part.strip()!r}")
        options[match["name"]] = match["value"]
    return options
