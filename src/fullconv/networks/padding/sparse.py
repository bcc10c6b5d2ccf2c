"""Compute the paper's wide zero padding only where it matters: exact, in about half the time.

With 100 zeros around an image, the image cannot influence most pixels of the early feature maps.
There a map is *constant*: it has one value per channel, the same for every image, except for the
few outermost rows and columns that the zero padding of later convolutions reaches. A map is
therefore stored as

- `core`: the part that the image influences, and
- `border`: the map of an all-zero image, whose constant rows (and columns) are collapsed into one,

and each layer is applied to both. The layers' windows determine where each part is. Where the
influenced part would meet the border (after pool4 in VGG-16), the full map is assembled, and the
remaining layers run on the full map.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.networks.geometry import Span
from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding.regions import (
    AxisRegions,
    BorderKey,
    FusedLayer,
    LayerRegions,
    border_key,
    plan_regions,
)


class Borders:
    """The border of each layer's output, by the sizes that it depends on; threads may share it.

    Args:
        most: sizes that are kept; the one that was used longest ago is forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[BorderKey, dict[str, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, key: BorderKey) -> dict[str, Tensor]:
        """Return the borders by the name of the layer; the caller adds those that are missing."""
        # Each step is atomic; a lock could be held for ever in a forked process.
        found = self._known.pop(key, None) or {}
        self._known[key] = found
        for old in list(self._known)[: -self._most]:
            self._known.pop(old, None)
        return found


@dataclass(frozen=True)
class SparseMap:
    """A feature map in two parts.

    Attributes:
        core: what the image influences, (B, C, height, width).
        border: the map of an all-zero image with one constant row and column,
            (1, C, height, width).
        axes: regions along rows and columns.
    """

    core: Tensor
    border: Tensor
    axes: tuple[AxisRegions, AxisRegions]

    @staticmethod
    def of_image(image: Tensor, padding: int) -> "SparseMap":
        """Return a zero-padded image."""
        height, width = image.shape[-2:]
        axes = AxisRegions.of_image(height, padding), AxisRegions.of_image(width, padding)
        return SparseMap(image, image.new_zeros(1, image.shape[1], 1, 1), axes)

    @property
    def constant(self) -> Tensor:
        """The value of each channel in the constant region, (1, C, 1, 1)."""
        row, column = (axis.constant[0] for axis in self.axes)
        return self.border[..., row : row + 1, column : column + 1]

    @cached_property
    def full(self) -> Tensor:
        """The full map, (B, C, H, W)."""
        height, width = (axis.length for axis in self.axes)
        background = self.expand_border(height, width).expand(len(self.core), -1, -1, -1)
        return _paste(background, self.core, self.axes[0].influenced[0], self.axes[1].influenced[0])

    def expand_border(self, height: int, width: int) -> Tensor:
        """Return the map of an all-zero image at this size; the constant row and column repeat."""
        x = self.border
        for dim, axis, length in zip((2, 3), self.axes, (height, width), strict=True):
            first = axis.constant[0]
            before, constant, after = x.tensor_split((first, first + 1), dim)
            sizes = list(x.shape)
            sizes[dim] = length - axis.border + 1
            x = torch.cat([before, constant.expand(sizes), after], dim)
        return x

    def pad_core(self, rows: Span, columns: Span) -> Tensor:
        """Return the core, extended to these rows and columns by the constant values."""
        if (rows, columns) == (self.axes[0].influenced, self.axes[1].influenced):
            return self.core
        size = rows[1] - rows[0], columns[1] - columns[0]
        background = self.constant.expand(*self.core.shape[:2], *size)
        top = self.axes[0].influenced[0] - rows[0]
        left = self.axes[1].influenced[0] - columns[0]
        return _paste(background, self.core, top, left)

    def through(
        self, layer: nn.Module, regions: LayerRegions, border: Tensor | None = None
    ) -> "SparseMap":
        """Return the layer's output; a `border` that is already known is not computed again."""
        if isinstance(layer, nn.BatchNorm2d) and (layer.training or layer.running_mean is None):
            return _batch_norm(self, layer)
        rows, columns = (regions.window.reads(axis.influenced) for axis in regions.axes)
        core = _run(layer, self.pad_core(rows, columns), 0)
        if border is None:
            padded = self.expand_border(*regions.border_input)
            border = _run(layer, padded, regions.window.padding)
        return SparseMap(core, border, regions.axes)


def features(
    chain: NamedSequential, image: Tensor, names: Iterable[str], borders: Borders | None = None
) -> dict[str, Tensor]:
    """Return `chain.features(image, names)` up to rounding, without computing constant regions.

    Args:
        chain: layers, the first of which pads the image.
        image: (B, C, H, W).
        names: of the layers whose outputs to return.
        borders: a cache for a chain whose weights do not change; new borders are added to it.
    """
    if {type(side) for side in image.shape} != {int}:
        return chain.features(image, names)  # exports for any size have symbolic sizes
    regions = plan_regions(dict(chain.named_children()), image.shape)
    if not regions:
        return chain.features(image, names)
    wanted = set(names)
    outputs: dict[str, Tensor] = {}
    known = {} if borders is None else borders.of(border_key(regions))
    x: SparseMap | Tensor = SparseMap.of_image(image, next(iter(regions.values())).image_padding)
    for name, layer in chain.named_children():
        if len(outputs) == len(wanted):
            break
        if isinstance(x, SparseMap) and name in regions:
            x = x.through(layer, regions[name], known.get(name))
            known[name] = x.border
        else:
            x = layer(x.full if isinstance(x, SparseMap) else x)
        if name in wanted:
            outputs[name] = x.full if isinstance(x, SparseMap) else x
    return outputs


def _run(layer: nn.Module, x: Tensor, padding: int) -> Tensor:
    """Apply the layer with this padding in place of its own."""
    if isinstance(layer, FusedLayer):
        return layer.padded(x, padding)
    if isinstance(layer, nn.Conv2d):
        settings = layer.stride, padding, layer.dilation, layer.groups
        return F.conv2d(x, layer.weight, layer.bias, *settings)
    if isinstance(layer, nn.MaxPool2d):
        window = layer.kernel_size, layer.stride, padding, layer.dilation
        return F.max_pool2d(x, *window, layer.ceil_mode)
    out: Tensor = layer(x)
    return out


def _paste(background: Tensor, core: Tensor, top: int, left: int) -> Tensor:
    height, width = core.shape[2:]
    channels_last = core.shape[1] > 1 and core.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = background.clone(memory_format=layout)
    x[..., top : top + height, left : left + width] = core
    return x


def _batch_norm(x: SparseMap, layer: nn.BatchNorm2d) -> SparseMap:
    """Apply batch norm in training, with the mean and variance of the full map.

    The variance of the full map is the weighted mean of the parts' variances, plus the variance
    between the parts' means.
    """
    weights, outer = _border_weights(x)
    core_variance, core_mean = torch.var_mean(x.core, (0, 2, 3), correction=0, keepdim=True)
    border_mean = (x.border * weights).sum((0, 2, 3), keepdim=True)
    deviation = (x.border - border_mean).square()
    border_variance = (deviation * weights).sum((0, 2, 3), keepdim=True)
    mean = torch.lerp(core_mean, border_mean, outer)
    between = (core_mean - border_mean).square() * (outer * (1 - outer))
    variance = torch.lerp(core_variance, border_variance, outer) + between
    count = len(x.core) * math.prod(axis.length for axis in x.axes)
    unbiased = variance.detach().flatten() * (count / (count - 1))
    _update_statistics(layer, mean.detach().flatten(), unbiased)
    scale = (variance + layer.eps).rsqrt()
    shift = -mean * scale
    if layer.affine:
        scale = scale * layer.weight.view_as(mean)
        shift = -mean * scale + layer.bias.view_as(mean)
    core, border = (torch.addcmul(shift, part, scale) for part in (x.core, x.border))
    return SparseMap(core, border, x.axes)


def _border_weights(x: SparseMap) -> tuple[Tensor, float]:
    """Weigh each pixel of the border by how often it occurs in the map outside of the core.

    Returns:
        weights of the border's size, (1, 1, height, width), which sum to 1; and the fraction of
        the map that is outside of the core.
    """
    counts = x.border.new_ones(1, 1, *x.border.shape[2:])
    (row, column), (rows, columns) = (axis.constant[0] for axis in x.axes), x.axes
    counts[:, :, row] *= rows.length - rows.border + 1
    counts[..., column] *= columns.length - columns.border + 1
    core, total = rows.core * columns.core, rows.length * columns.length
    counts[:, :, row, column] -= core
    return counts / max(1, total - core), 1 - core / total


def _update_statistics(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Update the running statistics as the layer itself does."""
    if not layer.training or layer.running_mean is None or layer.running_var is None:
        return
    momentum = layer.momentum
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        if momentum is None:
            momentum = 1 / float(layer.num_batches_tracked)
    layer.running_mean.lerp_(mean.to(layer.running_mean), momentum or 0.0)
    layer.running_var.lerp_(variance.to(layer.running_var), momentum or 0.0)
