"""The settings of a model that its own file and exported files both store."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.networks.fcn import FCN

SHARED = ("classes", "palette", "size", "input_scale", "tta_scales", "band_choice")
"""Names of arguments of a `Model`, which are also those of its attributes and of both files."""


def shared_settings(source: object) -> dict[str, Any]:
    """Return the settings of a model, of a `Card` or of a `Description`, as a model takes them."""
    return {name: getattr(source, name) for name in SHARED}


def stored_settings(model: object, network: "FCN") -> dict[str, Any]:
    """Return the settings of a model and of its network, as a `Card` and a `Description` take them.

    Args:
        model: has the attributes of `SHARED`.
        network: of the model.
    """
    of_network = {"architecture": network.architecture, "normalization": network.normalization}
    return shared_settings(model) | of_network
