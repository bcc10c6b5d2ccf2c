"""Several heads of one network: each is a range of its scores, with classes of its own.

Score layers and the upsampling treat every score alike, so heads side by side in one layer compute
what a layer for each of them would (the authors' siftflow-fcn8s/net.py has two of each).
"""

import re

import torch

from fullconv.errors import ConfigError
from fullconv.networks.fcn.create import build
from fullconv.networks.fcn.network import FCN


@torch.no_grad()
def select_scores(network: FCN, first: int, count: int) -> FCN:
    """Return the network of a range of another network's scores; the backbone is shared.

    Args:
        network: built by name, without unpooling.
        first: number of the first score.
        count: number of scores.

    Raises:
        ConfigError: the network was not built by name.
    """
    if network.architecture is None:
        raise ConfigError("only the heads of a network that create_model built can be separated")
    architecture = network.architecture.model_copy(update={"classes": count})
    part = slice(first, first + count)
    alone = build(architecture, network.normalization)
    state = network.state_dict()
    for name, value in state.items():
        if re.match(r"score_\w+\.", name):
            state[name] = value[part].clone()
        elif name.startswith("upscore"):
            state[name] = value[part, part].clone()
    alone.load_state_dict(state, assign=True)
    alone.normalize.to(network.normalize.mean)  # no weights: device and type are not assigned
    for name, parameter in alone.named_parameters():
        parameter.requires_grad_(not name.startswith("upscore") or architecture.learn_upsampling)
    return alone.train(network.training)
