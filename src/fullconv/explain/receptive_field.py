"""The receptive field of a feature, measured: which pixels of an image have an influence on it.

Everything that could hide an influence is flattened first: weights are positive and alike, the
largest of a window becomes its mean, layer norms do nothing. What remains is which pixel is wired
to which, and the gradient tells that without knowing any layer.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field
from fullconv.networks.layers import FeatureInfo

DIM = 1e-3  # of the image; activations such as ReLU6 stay far from where they are flat


@dataclass(frozen=True)
class Measured:
    """The field as the gradient shows it, along rows and along columns."""

    rows: Field
    columns: Field

    def agrees(self, field: Field) -> bool:
        """Whether a derived field says the same."""
        return all((f.size, f.map) == (field.size, field.map) for f in (self.rows, self.columns))


def measure(backbone: nn.Module, feature: str) -> Measured:
    """Measure the field of one feature of a backbone.

    Args:
        backbone: is copied, not changed.
        feature: one whose field is bounded.

    Raises:
        GeometryError: every pixel of a large image has an influence.
    """
    flat = _flattened(deepcopy(backbone))
    info: dict[str, FeatureInfo] = flat.feature_info()  # type: ignore[operator]
    expected = info[feature].field  # says only how large an image has to be
    stride = int(expected.stride)
    long = stride * -(-(expected.size + 8 * stride) // stride)
    rows, columns = (_along(flat, feature, long, axis) for axis in (0, 1))
    return Measured(rows, columns)


def _along(flat: nn.Module, feature: str, long: int, axis: int) -> Field:
    """Measured along one axis, on an image that is narrow along the other."""
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
    """Means instead of largest values, and no layer norms, whose gradients cancel out."""

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
