"""Record what the page needs of a model and a photo, and make it fit into 1.5 MB.

A network of known layers whose weights fit is put into the page, which runs it (live). Of a larger
one, the page gets the scores of each stride, small maps and single neurons (see `kept`). Where that
is too large, the photo is made smaller, then fewer channels and layers are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from fullconv.explain.microscope.arrays import Arrays
from fullconv.explain.microscope.kept import Seen, chosen, keep, watch
from fullconv.explain.microscope.layers import (
    can_run,
    fusion,
    geometry,
    stages,
)
from fullconv.io.images import fit_size, scale_image
from fullconv.model import Model
from fullconv.networks.fcn import FCN

SIDES = (320, 256, 192, 160, 128, 96, 64)  # of the photo, the largest first
LIVE_WEIGHTS = 240_000  # numbers: about 1.2 MB of text
CLASSES = 24  # of a network that is not live; the most frequent ones
FEATURES = 64  # channels of the coarsest feature, likewise
Arguments = tuple[Model, UInt8[np.ndarray, "H W 3"]]


@dataclass(frozen=True)
class Plan:
    """How much of a network is recorded.

    Attributes:
        side: pixels; the longer side of the photo.
        live: whether all weights are in the page.
        layers: convolutions that are kept, if it is not live.
        channels: of each, likewise.
    """

    side: int
    live: bool
    layers: int = 0
    channels: int = 0


@dataclass(frozen=True)
class Recording:
    """The settings of a page, and the arrays that they name."""

    settings: dict[str, Any]
    arrays: bytes


def plans(model: Model) -> Iterator[Plan]:
    """Yield what to record, the most first."""
    network = model.network
    weights = sum(parameter.numel() for parameter in network.parameters())
    if can_run(network) and weights <= LIVE_WEIGHTS:
        yield from (Plan(side, True) for side in SIDES)
    for side in SIDES:
        yield from (Plan(side, False, *most) for most in ((24, 12), (16, 8), (12, 4), (8, 2)))


def record(model: Model, image: UInt8[np.ndarray, "H W 3"], plan: Plan, name: str) -> Recording:
    """Record a model on a photo.

    Args:
        model: a trained model.
        image: the photo, RGB.
        plan: how much is recorded.
        name: of the model, as the page shows it.

    Raises:
        ConfigError: a chosen size is not possible.
    """
    network = model.network.eval()
    size = fit_size(image.shape[:2], model.size, model.input_scale)  # as the network expects it
    size = fit_size(size, (plan.side, plan.side))
    photo = scale_image(image, size)
    batch = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float()
    arrays = Arrays()
    normalization = network.normalization
    settings: dict[str, Any] = {
        "name": name,
        "network": network.architecture.name if network.architecture else "FCN",
        "live": plan.live,
        "photo": {
            "height": size[0],
            "width": size[1],
            "original": list(image.shape[:2]),
            "pixels": arrays.levels(photo),
        },
        "normalize": {
            "mean": list(normalization.mean),
            "std": list(normalization.std),
            "order": normalization.order,
        },
        "classes": list(model.classes),
        "palette": [list(color) for color in model.palette],
        "geometry": geometry(network),
        "fusion": fusion(network, arrays),
        "notes": [],
    }
    part = _live(network, arrays) if plan.live else _kept(model, batch, plan, arrays)
    return Recording(settings | part, arrays.content())


def _live(network: FCN, arrays: Arrays) -> dict[str, Any]:
    found = stages(network, arrays)
    score = next(stage for stage in found if stage["name"] == "score_fr")
    layer = score["layers"][-1]
    names = ["fr", *network.skips]
    return {
        "stages": found,
        "scores": [
            {"name": stride, "stage": f"score_{name}"}
            for stride, name in zip(_strides(network), names, strict=True)
        ],
        "dense": {
            "stage": score["input"],
            "weight": layer["weight"],
            "bias": layer["bias"],
            "total": network.score_fr.in_channels,
            "field": _field(network),
        },
    }


def _kept(model: Model, batch: Tensor, plan: Plan, arrays: Arrays) -> dict[str, Any]:
    """Record scores of each stride, the coarsest feature, and parts of the convolutions."""
    network = model.network
    score, seen = watch(network, batch)
    by_name = {one.name: one for one in seen}
    classes = _frequent(score)
    names = ["fr", *network.skips] if network.mirror is None else []
    layers = chosen(seen, plan.layers)
    return {
        "classes": [model.classes[k] for k in classes],
        "palette": [list(model.palette[k]) for k in classes],
        "scores": [
            _scores(stride, by_name[f"score_{name}"].y[classes], arrays)
            for stride, name in zip(_strides(network), names, strict=False)
        ],
        "fusion": fusion(network, arrays),
        "dense": _dense(network, by_name["score_fr"], classes, arrays),
        "stages": [keep(one, plan.channels, arrays) for one in layers],
        "convolutions": len(seen),
        "notes": list(_notes(model, classes)),
    }


def _notes(model: Model, classes: list[int]) -> Iterator[list[Any]]:
    """Yield what is left out: the key of a text of the page, and the numbers in it."""
    if len(classes) < len(model.classes):
        yield ["fewerClasses", len(classes), len(model.classes)]
    wide = model.network.score_fr.in_channels
    if wide > FEATURES:
        yield ["fewerFeatures", FEATURES, wide]


def _frequent(score: Tensor) -> list[int]:
    """Return the classes that are predicted most, in their order; all if they are few."""
    counts = score.argmax(0).flatten().bincount(minlength=len(score))
    best = (counts.double() + score.mean((1, 2)).double().sigmoid()).argsort(descending=True)
    return sorted(best[:CLASSES].tolist())


def _scores(name: str, maps: Tensor, arrays: Arrays) -> dict[str, Any]:
    channels, height, width = maps.shape
    place = arrays.floats(maps)
    return {"name": name, "channels": channels, "height": height, "width": width, "data": place}


def _dense(network: FCN, seen: Seen, classes: list[int], arrays: Arrays) -> dict[str, Any]:
    """Record the input of the coarsest score layer: its strongest channels, the rest as sums."""
    weight = seen.layer.weight[classes, :, 0, 0].detach().double()
    x = seen.x.double()
    strength = (weight.abs().amax(0) * x.abs().mean((1, 2))).argsort(descending=True)
    kept = sorted(strength[:FEATURES].tolist())
    others = sorted(set(range(len(x))) - set(kept))
    rest = torch.einsum("kc,chw->khw", weight[:, others], x[others])
    bias = seen.layer.bias
    assert bias is not None
    channels, height, width = len(kept), *x.shape[1:]
    features = {"channels": channels, "height": height, "width": width}
    return {
        "features": {**features, "data": arrays.floats(seen.x[kept])},
        "channels": kept,
        "rest": arrays.floats(rest.float()) if others else None,
        "weight": arrays.floats(weight[:, kept].float()),
        "bias": arrays.floats(bias[classes]),
        "total": len(x),
        "field": _field(network),
    }


def _field(network: FCN) -> dict[str, float]:
    field = network.feature_info()[network.top].field
    return {
        "scale": float(field.map.scale),
        "shift": float(field.map.shift),
        "size": field.size if field.bounded else 10**9,
    }


def _strides(network: FCN) -> list[str]:
    info = network.feature_info()
    return [f"{int(info[name].field.stride)}s" for name in (network.top, *network.skips)]
