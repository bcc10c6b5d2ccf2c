"""Logit adjustment (Menon et al., 2021): undo part of the class weights at inference.

A network trained with class weights w predicts as if each class were w times as frequent as it is:
it finds more pixels of rare classes, and also predicts them where they are not. Subtracting
`factor * log(w)` from its scores interpolates: 0 leaves the predictions as they are, 1 gives those
of a training without weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError
from fullconv.networks.fcn import FCN
from fullconv.training.losses import takes_weights


@contextmanager
def logit_adjusted(network: FCN, weights: Tensor, factor: float) -> Iterator[None]:
    """Lower the network's scores by `factor * log(weights)`; restore its biases on exit.

    The biases of the finest score layer are changed. Every pixel receives them in full, except
    within half the finest stride of the border, where transposed convolutions fade into zeros.

    Args:
        network: its upsampling must not mix classes (see `check_logit_adjust`).
        weights: (K,); 0 for classes without pixels, which are lowered as the heaviest one is.
        factor: in [0, 1].
    """
    *_, finest = network.score_layers()
    assert finest.bias is not None
    kept = finest.bias.detach().clone()
    with torch.no_grad():
        finest.bias -= factor * _logarithms(weights).to(kept)
    try:
        yield
    finally:
        with torch.no_grad():
            finest.bias.copy_(kept)


def _logarithms(weights: Tensor) -> Tensor:
    """Return the logarithms of weights (K,), that of the largest for 0; 0 if all weights are 0."""
    known = weights > 0
    if not known.any():
        return torch.zeros_like(weights)
    return torch.where(known, weights, weights.max()).log()


def mixes_classes(config: TrainConfig) -> bool:
    """Whether the upsampling mixes the scores of classes, so that an adjustment has no place."""
    return config.learn_upsampling or config.upsampling == "unpooling"


def check_logit_adjust(config: TrainConfig) -> None:
    """Check that `logit_adjust` has class weights to undo and scores that only add up.

    Raises:
        ConfigError: there are no class weights, not even at the end of the training; or the
            upsampling mixes classes.
    """
    if not config.logit_adjust:
        return
    if config.balance == "none":
        raise ConfigError(
            "logit_adjust undoes a part of the class weights, but balance is none; set class "
            "weights, e.g. --balance enet"
        )
    if config.final_loss and not takes_weights(config.final_loss, "final_loss"):
        raise ConfigError(
            "logit_adjust undoes a part of the class weights, but the last part of the training "
            f"has none: final_loss is {config.final_loss!r}, which weighs all classes equally; "
            "leave out logit_adjust, or add a loss over pixels, e.g. cross-entropy"
        )
    if mixes_classes(config):
        raise ConfigError(
            "logit_adjust needs an upsampling that does not mix classes, but learn_upsampling or "
            "upsampling: unpooling is set; leave both at their defaults"
        )
