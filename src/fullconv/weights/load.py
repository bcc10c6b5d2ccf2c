"""What a network takes over from a weights file beside its arrays: skip factors, normalization."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from fullconv.config import Architecture, Normalization
from fullconv.errors import WeightsError
from fullconv.networks.transplant import Transplant, bare, transplant
from fullconv.networks.vgg_names import Order, Triple
from fullconv.weights.sources import Weights, compact, read_weights


@runtime_checkable
class Scaled(Protocol):
    """A network that multiplies its skips by factors (the at-once nets), such as `FCN`."""

    skips: tuple[str, ...]
    skip_scales: dict[str, float]
    architecture: Architecture | None


@runtime_checkable
class WithNormalization(Protocol):
    """A network that normalizes its images itself, such as `FCN`."""

    normalization: Normalization


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


def adopt_normalization(
    network: nn.Module, mean: Triple | None, std: Triple | None, order: Order | None
) -> list[str]:
    """Make the network normalize images as its new first layer expects; says how.

    Args:
        network: one that does not normalize is left alone.
        mean: RGB, in [0, 255]; None where nobody says, and then the network keeps its own.
        std: likewise.
        order: of the channels; None stands for RGB.
    """
    if not isinstance(network, WithNormalization):
        return []
    if mean is None or std is None:
        return ["the file does not say how images are normalized; the network keeps its own way"]
    network.normalization = Normalization.checked(mean=mean, std=std, order=order or "rgb")
    rounded = [tuple(round(value, 3) for value in values) for values in (mean, std)]
    return [f"images are normalized: mean {rounded[0]}, std {rounded[1]}, {order or 'rgb'}"]


@dataclass(frozen=True)
class Loaded:
    """What `load_weights` did, by name.

    Attributes:
        source: what wrote the file.
        taken: arrays that the network now has.
        reshaped: likewise, in another shape with the same numbers (fc -> convolution).
        missing: arrays of the network that the file does not hold, left as they were.
        left_over: arrays of the file that the network has no place for.
        notes: what a user should know, one sentence each.
    """

    source: str
    taken: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        groups = {
            "taken": self.taken,
            "taken in another shape": self.reshaped,
            "not in the file, left as they were": self.missing,
            "in the file, without a place here": self.left_over,
        }
        lines = [
            f"{len(names)} {what}: {compact(names)}" for what, names in groups.items() if names
        ]
        return "\n".join([self.source, *lines, *(f"note: {note}" for note in self.notes)])


def load_weights(
    network: nn.Module,
    path: str | Path,
    *,
    strict: bool = False,
    fluid_dropout: bool = False,
) -> Loaded:
    """Copy a weights file of any known kind into a network, by layer name.

    What the file says (or is known) about the input's normalization becomes the network's, if
    its first layer was taken; so do the factors of the skips of an at-once net.

    Args:
        network: changed in place, also where this raises because of `strict`.
        path: .caffemodel, .pdparams, .pth, .safetensors, .onnx; known by content.
        strict: refuse a file that does not fill the network, or that has more.
        fluid_dropout: for Paddle files trained with fluid's Dropout.

    Raises:
        WeightsError: the file cannot be used, or nothing in it fits.
        MissingExtraError: the file needs a package that is not installed.
    """
    path = Path(path)
    options = {"fluid_dropout": True} if fluid_dropout else {}
    return place(network, read_weights(path, **options), path, strict)


def place(network: nn.Module, read: Weights, path: Path, strict: bool = False) -> Loaded:
    """Copy what was read from `path` into a network; see `load_weights`."""
    arrays = dict(read.arrays)
    notes = [*read.notes, *adopt_scales(network, arrays)]
    done = transplant(network, {name: torch.from_numpy(arrays[name]) for name in arrays})
    if not done.taken and not done.reshaped:
        raise WeightsError(f"nothing in {path} fits the network: {_both_sides(network, arrays)}")
    if strict and (done.missing or done.left_over):
        raise WeightsError(
            f"{path} does not fill the network exactly, as strict demands; not in the file: "
            f"{compact(done.missing) or 'nothing'}; only in the file: "
            f"{compact(done.left_over) or 'nothing'}"
        )
    notes += _other_shapes(network, arrays, done)
    if bare(next(iter(network.state_dict()))) not in done.missing:
        notes += adopt_normalization(network, read.mean, read.std, read.order)
    return Loaded(
        read.source, done.taken, done.reshaped, done.missing, done.left_over, tuple(notes)
    )


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {bare(name): tuple(value.shape) for name, value in network.state_dict().items()}


def _other_shapes(
    network: nn.Module, arrays: Mapping[str, np.ndarray], done: Transplant
) -> list[str]:
    here = _shapes(network)
    names = [name for name in done.left_over if bare(name) in here]
    told = [f"{name} {arrays[name].shape} in the file, {here[bare(name)]} here" for name in names]
    rest = [f"and {len(told) - 3} more"] if len(told) > 3 else []
    return [f"other shapes: {'; '.join([*told[:3], *rest])}"] if told else []


def _both_sides(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> str:
    def three(shapes: Mapping[str, tuple[int, ...]]) -> str:
        return ", ".join(f"{name} {shapes[name]}" for name in list(shapes)[:3])

    held = {name: array.shape for name, array in arrays.items()}
    return f"it holds {three(held)}, ...; the network wants {three(_shapes(network))}, ..."
