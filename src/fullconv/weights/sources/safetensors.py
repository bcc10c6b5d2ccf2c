"""Read safetensors: our own model files, and those of torchvision's VGG, timm and others."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from fullconv.config import Normalization
from fullconv.errors import WeightsError
from fullconv.io.text import parse_json
from fullconv.networks.vgg_names import ChannelValues, Order
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._names import paper_arrays

_OWN = "fullconv"
NORMALIZATION = "normalization"
"""Header key of mean, std and order as JSON."""
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?"

Stated = tuple[ChannelValues | None, ChannelValues | None, Order | None]
"""Mean, std and channel order."""


def _recognises(head: bytes, path: Path) -> bool:
    """Return whether it begins with a header length below 2**40 (8 bytes) and JSON."""
    return head[8:9] == b"{" and head[5:8] == b"\0\0\0"


def read(path: Path) -> Weights:
    """Read a safetensors file, and the normalization from its header.

    Raises:
        WeightsError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said: dict[str, str] = file.metadata() or {}
            names = [name for name in file.keys() if not name.startswith("optimizer.")]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, OverflowError, MemoryError, OSError) as error:
        raise WeightsError(
            f"{path} looks like a safetensors file but cannot be read: {error}; "
            "copy or download it again"
        ) from error
    arrays = {
        name.removeprefix("backbone.") if _OWN in said else name: (
            tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        ).numpy()
        for name, tensor in tensors.items()
    }
    try:
        vgg = paper_arrays(arrays)
    except ValueError as error:
        raise WeightsError(f"{path} cannot be used: {error}; save the model again") from error
    mean, std, order = _normalization(said, path)
    return Weights(
        vgg.arrays,
        "fullconv model" if _OWN in said else "safetensors",
        mean=mean,
        std=std,
        order=order,
        notes=(
            *(f"{key}: {said[key][:200]}" for key in ("origin", "licence") if key in said),
            *vgg.notes,
        ),
        classes=_classes(said),
    )


sources.register("safetensor")(Source("safetensors (.safetensors)", _recognises, read))


def _normalization(said: Mapping[str, str], path: Path) -> Stated:
    """Read the normalization: JSON in files of ours, else text."""
    if _OWN not in said and NORMALIZATION not in said:
        return _stated(said)
    try:
        values: Any = parse_json(said.get(_OWN) or said[NORMALIZATION])
        found = Normalization.checked(**(values[NORMALIZATION] if _OWN in said else values))
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: the normalization in its header cannot be used ({error}); "
            "save the model again"
        ) from error
    return found.mean, found.std, found.order


def _classes(said: Mapping[str, str]) -> tuple[str, ...] | None:
    """Read the names of the classes in a file of ours."""
    if _OWN not in said:
        return None
    card = parse_json(said[_OWN])  # parsed before, for the normalization
    names = card.get("classes")
    if heads := card.get("heads"):
        names = [f"{head['name']}: {label}" for head in heads for label in head["classes"]]
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if known else None


def _stated(
    said: Mapping[str, str],
) -> Stated:
    """Parse mean and std as three numbers each, or an input formula such as "(x-127)/128"."""
    order = re.search(r"\b(RGB|BGR)\b", f"{said.get('mean', '')} {said.get('input', '')}")
    channels: Order | None = None
    if order:
        channels = "rgb" if order[1] == "RGB" else "bgr"
    mean, std = (_three(said.get(key, "")) for key in ("mean", "std"))
    formula = re.search(rf"\(x\s*-\s*({_NUMBER})\)\s*/\s*({_NUMBER})", said.get("input", "")[:1000])
    if formula and not mean:
        mean = (float(formula[1]),) * 3
        std = (float(formula[2]),) * 3
    if mean and channels == "bgr":
        mean, std = mean[::-1], std and std[::-1]
    return (mean, std, channels) if mean and std else (None, None, channels)


def _three(text: str) -> ChannelValues | None:
    """Return three numbers in brackets if the text states a scale of 0..255."""
    numbers = re.search(rf"\[({_NUMBER}), ({_NUMBER}), ({_NUMBER})\]", text[:1000])
    if not numbers or "255" not in text:
        return None
    return float(numbers[1]), float(numbers[2]), float(numbers[3])
