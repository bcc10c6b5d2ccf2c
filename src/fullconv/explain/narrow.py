"""Build a network with the geometry of another one and few channels, which is quick to run."""

from fullconv.config import RGB, Architecture, Normalization
from fullconv.networks.backbones import backbones
from fullconv.networks.fcn import FCN, build
from fullconv.networks.fcn.create import parse_name

WIDTH, HIDDEN = 1 / 16, 8


def narrow_network(architecture: Architecture) -> FCN:
    """Build the network with random weights, and with few channels if its backbone allows it.

    Strides, crops and receptive fields do not depend on the number of channels.
    """
    changes: dict[str, float | None] = {"classes": 1, "channels": RGB, "streams": None}
    if parse_name(architecture.name)[1] in backbones:
        changes |= {"width": WIDTH, "hidden": HIDDEN}
    identity = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    return build(architecture.model_copy(update=changes), identity).eval()
