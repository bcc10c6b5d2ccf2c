"""Measure receptive fields by gradient: which pixels of an image influence a feature.

First, everything that could hide an influence is removed: weights become equal and positive, max
pooling becomes average pooling, layer norms become identities. The gradient then shows which pixels
are connected, without rules for any layer.
"""

from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field
from fullconv.networks.layers import FeatureInfo

DIM = 1e-3  # value of the image; keeps activations such as ReLU6 far from saturation


def measure_field(backbone: nn.Module, feature: str) -> tuple[Field, Field]:
    """Return the receptive field of a backbone's feature along rows, and along columns.

    The backbone is not changed.

    Raises:
        GeometryError: the receptive field is not bounded.
    """
    flat = _flattened(deepcopy(backbone))
    info: dict[str, FeatureInfo] = flat.feature_info()  # type: ignore[operator]
    expected = info[feature].field  # used for the size of the image only
    stride = int(expected.stride)
    long = stride * -(-(expected.size + 8 * stride) // stride)
    rows, columns = (_along(flat, feature, long, axis) for axis in (0, 1))
    return rows, columns


def _along(flat: nn.Module, feature: str, long: int, axis: int) -> Field:
    """Measure along one axis, on an image that is narrow along the other."""
    size = (long, 32) if axis == 0 else (32, long)
    image = torch.full((1, 3, *size), DIM, dtype=torch.float64, requires_grad=True)
    with _Flat():
        found = flat.features(image, [feature])[feature].sum((0, 1, 3 - axis))  # type: ignore[operator]
    middle = len(found) // 2
    spans = list(_spans(found[middle : middle + 2], image, axis))
    (first, last), (next_first, next_last) = spans
    stride = next_first - first
    if first <= 0 or next_last >= long - 1 or next_last - last != stride:
        raise GeometryError(f"{feature} sees pixels {first} to {last} of {long}: no bounded field")
    centre = Fraction(first + last, 2) - middle * stride
    return Field(last - first + 1, CoordMap(Fraction(stride), centre))


def _spans(values: Tensor, image: Tensor, axis: int) -> Iterator[tuple[int, int]]:
    for value in values:
        (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
        seen = gradient[0].abs().sum((0, 2 - axis)).nonzero().flatten()
        yield int(seen[0]), int(seen[-1])


@torch.no_grad()
def _flattened(network: nn.Module) -> nn.Module:
    network.double().eval()
    for parameter in network.parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.fill_(1 / fan)
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if name.endswith(("bias", "beta", "running_mean")):
            tensor.zero_()
        elif name.endswith("running_var"):
            tensor.fill_(1)
    return network


class _Flat(TorchFunctionMode):
    """Replace max pooling by average pooling, and skip layer norms, whose gradients cancel."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "layer_norm":
            return args[0]
        if name == "max_pool2d":
            x, *window = args
            kept = {key: kwargs[key] for key in ("stride", "padding", "ceil_mode") if key in kwargs}
            return F.avg_pool2d(x, *window[:3], **kept)
        return func(*args, **kwargs)
