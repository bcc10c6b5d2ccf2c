"""Load a weights file of any supported format into a network, by layer name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from fullconv.config import Architecture, Normalization
from fullconv.errors import WeightsError
from fullconv.inference.model_file import model_file
from fullconv.networks.transplant import bare, transplant
from fullconv.networks.vgg_names import ChannelValues, Order
from fullconv.units import count
from fullconv.weights._align import map_classes, shapes_of, whole_layers, without_prefix
from fullconv.weights._channels import fit_channels, own_names
from fullconv.weights._fit import both_sides, convolutions, fit_warnings, other_shapes
from fullconv.weights.sources import Weights, format_names, read_weights


@dataclass(frozen=True)
class LoadReport:
    """Result of `load_weights`, by array name.

    Attributes:
        source: the software that wrote the file.
        taken: copied into the network.
        reshaped: copied in another shape (a fully connected layer into a convolution).
        missing: in the network but not in the file; unchanged.
        left_over: in the file but not in the network.
        notes: sentences for the user.
        warnings: sentences about what is probably not meant.
    """

    source: str
    taken: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        groups = {
            "loaded": self.taken,
            "loaded and reshaped": self.reshaped,
            "not in the file, unchanged": self.missing,
            "in the file, not in the network": self.left_over,
        }
        lines = [
            f"{len(names)} {title}: {format_names(names)}"
            for title, names in groups.items()
            if names
        ]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([self.source, *lines, *(f"warning: {text}" for text in self.warnings)])

    def summary(self) -> str:
        """Return how many arrays were taken, and the layers that were not, in one line."""
        filled = len(self.taken) + len(self.reshaped)
        parts = [f"{self.source}: {filled} of {count(filled + len(self.missing), 'array')} taken"]
        if self.missing:
            parts.append(f"not in the file: {shorten(format_names(self.missing))}")
        if self.left_over:
            parts.append(f"only in the file: {shorten(format_names(self.left_over))}")
        return "; ".join(parts)


def shorten(text: str, most: int = 160) -> str:
    """Return a list of names, cut after about `most` characters."""
    if len(text) <= most:
        return text
    kept = text[:most].rpartition(" ")[0]
    return f"{kept} and {count(len(text.split()) - len(kept.split()), 'more layer')}"


def load_weights(
    network: nn.Module,
    path: str | Path,
    *,
    strict: bool = False,
    fluid_dropout: bool = False,
    classes: Sequence[str] | None = None,
) -> LoadReport:
    """Load a weights file into a network, by layer name.

    If the first layer is loaded, the network takes over the normalization that the file states or
    that is known for its weights; likewise the skip factors of an at-once network. A layer is
    loaded as a whole or not at all.

    Args:
        network: changed in place, even if `strict` makes this raise.
        path: .caffemodel, .pdparams, .pth, .safetensors or .onnx, recognized by content; or a run
            folder.
        strict: refuse a file that does not fill the network exactly.
        fluid_dropout: for Paddle files trained with fluid's Dropout, whose weights are halved.
        classes: names of the network's classes. If the file names its own, scores are loaded by
            name.

    Raises:
        WeightsError: the file cannot be used, or none of its convolutions fits.
        MissingExtraError: the file needs a package that is not installed.
    """
    path = model_file(Path(path))
    options = {"fluid_dropout": True} if fluid_dropout else {}
    return copy_weights(network, read_weights(path, **options), path, strict, classes)


def copy_weights(
    network: nn.Module,
    weights: Weights,
    path: Path,
    strict: bool = False,
    classes: Sequence[str] | None = None,
) -> LoadReport:
    """Copy weights that were read from `path` into a network; see `load_weights`."""
    own = shapes_of(network)
    notes = list(weights.notes)
    arrays = dict(weights.arrays)
    arrays = without_prefix(own_names(own, arrays), arrays, notes)
    arrays = fit_channels(own, arrays, notes)
    notes += apply_skip_scales(network, arrays)
    if classes and weights.classes:
        notes += map_classes(network, arrays, weights.classes, classes)
    _refuse_whole_numbers(network, arrays, path)
    fitting, left = whole_layers(own, arrays)
    if not any(_is_convolution(name, own) for name in fitting):
        raise WeightsError(f"no convolution in {path} fits the network: {both_sides(own, arrays)}")
    done = transplant(network, {name: torch.from_numpy(fitting[name]) for name in fitting})
    left_over = tuple(name for name in arrays if name in {*done.left_over, *left})
    if strict and (done.missing or left_over):
        raise WeightsError(
            f"{path} does not fill the network exactly, as strict demands; not in the file: "
            f"{format_names(done.missing) or 'nothing'}; only in the file: "
            f"{format_names(left_over) or 'nothing'}"
        )
    notes += other_shapes(own, arrays, left_over)
    if bare(next(iter(network.state_dict()))) not in done.missing:
        notes += apply_normalization(network, weights.mean, weights.std, weights.order)
    # Layers of the classifier that the network leaves out on purpose are no sign of a misfit.
    head = _dropped(network)
    arrays = {name: array for name, array in arrays.items() if not bare(name).startswith(head)}
    foreign = [name for name in left_over if name in arrays]
    warnings = fit_warnings(own, arrays, done.missing, foreign)
    return LoadReport(
        weights.source, done.taken, done.reshaped, done.missing, left_over, tuple(notes), warnings
    )


def _dropped(network: nn.Module) -> tuple[str, ...]:
    """Return the beginnings of the names of the arrays that the network's backbone leaves out."""
    dropped = getattr(getattr(network, "backbone", None), "dropped", ())
    return tuple(f"{name}." for name in dropped)


def _is_convolution(name: str, own: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether an array is a convolution of the backbone, or its only kind of layer.

    fc7 alone does not count: it has the same shape whatever the convolutions before it are.
    """
    names = convolutions(own)
    return bare(name) in (names or own) and bare(name) != "fc7.weight"


def _refuse_whole_numbers(network: nn.Module, arrays: Mapping[str, np.ndarray], path: Path) -> None:
    state = {bare(name): value for name, value in network.state_dict().items()}
    for name, array in arrays.items():
        target = state.get(bare(name))
        if target is not None and target.is_floating_point() and array.dtype.kind != "f":
            raise WeightsError(
                f"{path}: {name} holds whole numbers ({array.dtype}), so the file is quantized or "
                "damaged; give the weights as floating-point numbers"
            )


@runtime_checkable
class HasSkipScales(Protocol):
    """A network that multiplies its skips by factors (the at-once nets), such as `FCN`."""

    skips: tuple[str, ...]
    skip_scales: dict[str, float]
    architecture: Architecture | None


@runtime_checkable
class HasNormalization(Protocol):
    """A network that normalizes its images itself, such as `FCN`."""

    normalization: Normalization


def apply_skip_scales(network: nn.Module, arrays: dict[str, np.ndarray]) -> list[str]:
    """Move the at-once nets' scale_pool4 and scale_pool3 from `arrays` into the network.

    Caffe's Scale layers hold one factor per channel. If all are equal (0.01 and 0.0001 in the
    authors' nets), this factor becomes the network's; otherwise they are multiplied into the
    weights of the following score layer, which computes the same.

    Returns:
        A sentence for each change.
    """
    found = [name for name in arrays if re.fullmatch(r"scale_\w+\.weight", name)]
    notes = []
    for name in found:
        skip = name.removeprefix("scale_").removesuffix(".weight")
        factors, score = arrays[name], f"score_{skip}.weight"
        supported = isinstance(network, HasSkipScales) and skip in network.skips
        if factors.ndim != 1:
            continue
        if supported and len(set(factors.tolist())) == 1:
            factor = float(str(factors[0]))  # 0.01, not the 0.009999999776 of float32
            _set_factor(network, skip, factor)
            notes.append(f"{skip} is multiplied by {factor:g} before its scores, as in the file")
        elif score in arrays and arrays[score].shape[1:] == (len(factors), 1, 1):
            arrays[score] = arrays[score] * factors.reshape(1, -1, 1, 1)
            _set_factor(network, skip, 1.0)
            notes.append(f"{name} is multiplied into {score}")
        else:
            continue
        del arrays[name]
    if isinstance(network, HasSkipScales) and network.skip_scales and not found:
        kept = ", ".join(f"{skip} by {factor:g}" for skip, factor in network.skip_scales.items())
        notes.append(f"the file does not say how skips are scaled; the network scales {kept}")
    return notes


def _set_factor(network: nn.Module, skip: str, factor: float) -> None:
    """Set the factor of a skip, also in the architecture, which is written into model files."""
    if not isinstance(network, HasSkipScales) or skip not in network.skips:
        return
    if factor == network.skip_scales.get(skip, 1.0):
        return
    network.skip_scales[skip] = factor
    if network.architecture is not None:
        factors = tuple(network.skip_scales.get(name, 1.0) for name in network.skips)
        network.architecture = network.architecture.model_copy(update={"skip_scales": factors})


def apply_normalization(
    network: nn.Module, mean: ChannelValues | None, std: ChannelValues | None, order: Order | None
) -> list[str]:
    """Set the normalization that a network's new first layer expects, and return a note about it.

    Args:
        network: unchanged if it does not normalize.
        mean: RGB, in [0, 255]; None if unknown, and the network keeps its own.
        std: RGB, in units of [0, 255]; likewise.
        order: of the channels; None for RGB.
    """
    if not isinstance(network, HasNormalization):
        return []
    if mean is None or std is None:
        return ["the file does not say how images are normalized; the network keeps its own way"]
    found = Normalization.checked(mean=mean, std=std, order=order or "rgb")
    network.normalization = found.for_channels(len(network.normalization.mean))
    rounded = [tuple(round(value, 3) for value in values) for values in (mean, std)]
    return [f"images are normalized: mean {rounded[0]}, std {rounded[1]}, {order or 'rgb'}"]
