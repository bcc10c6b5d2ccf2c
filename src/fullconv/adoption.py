"""What a network takes over from a weights file beside its arrays: skip factors, normalisation."""

import re
from typing import Protocol, runtime_checkable

import numpy as np
from torch import nn

from fullconv.config import Architecture, Normalisation
from fullconv.vggnames import Order, Triple


@runtime_checkable
class Scaled(Protocol):
    """A network that multiplies its skips by factors (the at-once nets), such as `FCN`."""

    skips: tuple[str, ...]
    skip_scales: dict[str, float]
    architecture: Architecture | None


@runtime_checkable
class Normalised(Protocol):
    """A network that normalises its images itself, such as `FCN`."""

    normalisation: Normalisation


def adopt_scales(network: nn.Module, arrays: dict[str, np.ndarray]) -> list[str]:
    """Move the at-once nets' scale_pool4 and scale_pool3 from `arrays` into the network.

    Caffe's Scale layers hold one factor a channel. Where they are all equal (0.01 and 0.0001 in
    the authors' nets) that factor becomes the network's; else they are multiplied into the
    weights of the score layer behind, which computes the same.

    Returns:
        What was done, a sentence each.
    """
    found = [name for name in arrays if re.fullmatch(r"scale_\w+\.weight", name)]
    notes = []
    for name in found:
        skip = name.removeprefix("scale_").removesuffix(".weight")
        factors, score = arrays[name], f"score_{skip}.weight"
        own = isinstance(network, Scaled) and skip in network.skips
        if own and len(set(factors.tolist())) == 1:
            factor = float(str(factors[0]))  # 0.01, not the 0.009999999776 of float32
            _set_factor(network, skip, factor)
            notes.append(f"{skip} is multiplied by {factor:g} before its scores, as in the file")
        elif score in arrays and arrays[score].shape[1] == len(factors):
            arrays[score] = arrays[score] * factors.reshape(1, -1, 1, 1)
            _set_factor(network, skip, 1.0)
            notes.append(f"{name} is multiplied into {score}")
        else:
            continue
        del arrays[name]
    if isinstance(network, Scaled) and network.skip_scales and not found:
        kept = ", ".join(f"{skip} by {factor:g}" for skip, factor in network.skip_scales.items())
        notes.append(f"the file does not say how skips are scaled; the network scales {kept}")
    return notes


def _set_factor(network: nn.Module, skip: str, factor: float) -> None:
    """Set the network's factor, and the one in the settings that its model file will hold."""
    if not isinstance(network, Scaled) or skip not in network.skips:
        return
    if factor == network.skip_scales.get(skip, 1.0):
        return
    network.skip_scales[skip] = factor
    if network.architecture is not None:
        factors = tuple(network.skip_scales.get(name, 1.0) for name in network.skips)
        network.architecture = network.architecture.model_copy(update={"skip_scales": factors})


def adopt_normalisation(
    network: nn.Module, mean: Triple | None, std: Triple | None, order: Order | None
) -> list[str]:
    """Make the network normalise images as its new first layer expects; says how.

    Args:
        network: one that does not normalise is left alone.
        mean: RGB, in [0, 255]; None where nobody says, and then the network keeps its own.
        std: likewise.
        order: of the channels; None stands for RGB.
    """
    if not isinstance(network, Normalised):
        return []
    if mean is None or std is None:
        return ["the file does not say how images are normalised; the network keeps its own way"]
    network.normalisation = Normalisation.checked(mean=mean, std=std, order=order or "rgb")
    rounded = [tuple(round(value, 3) for value in values) for values in (mean, std)]
    return [f"images are normalised: mean {rounded[0]}, std {rounded[1]}, {order or 'rgb'}"]
