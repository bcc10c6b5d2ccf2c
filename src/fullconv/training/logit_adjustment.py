"""What class weights taught is taken back from the answers, in part (Menon et al., 2021).

A network trained with weights w answers as if each class were w times as frequent as it is: it
finds more of the rare ones, and sees them where they are not. Less `share * log(w)` its scores lie
in between: 0 leaves them, 1 gives the answers of a training without weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError
from fullconv.networks.fcn import FCN


@contextmanager
def logit_adjusted(network: FCN, weights: Tensor, share: float) -> Iterator[None]:
    """Inside, `network`'s scores are less by `share * log(weights)`; then it is as it was.

    They are so by the biases of its finest scores, which every pixel gets whole but the outermost
    ones, half the finest stride wide, where bilinear upsampling fades into the zeros around.

    Args:
        network: with upsampling that does not mix classes, as it begins.
        weights: (K,), positive where a class was seen.
        share: in [0, 1].
    """
    *_, finest = network.score_layers()
    assert finest.bias is not None
    kept = finest.bias.detach().clone()
    logarithms = torch.where(weights > 0, weights, 1).log().to(kept)
    with torch.no_grad():
        finest.bias -= share * logarithms
    try:
        yield
    finally:
        with torch.no_grad():
            finest.bias.copy_(kept)


def check_taken_back(config: TrainConfig) -> None:
    """Make sure that `unweigh` has something to take back, from scores that only add up.

    Raises:
        ConfigError: there are no class weights, or the upsampling mixes classes.
    """
    if not config.unweigh:
        return
    if config.balance == "none":
        raise ConfigError(
            "unweigh takes back a part of the class weights; give them: --balance enet"
        )
    if config.learn_upsampling or config.upsampling == "unpooling":
        raise ConfigError(
            "unweigh needs an upsampling that does not mix classes, as it is by default: leave out "
            "learn_upsampling and unpooling"
        )
