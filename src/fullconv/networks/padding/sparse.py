"""The paper's wide zero padding, computed only where it matters: exact, in about half the time.

With 100 zeros around an image, most pixels of the early maps lie in a frame that the image cannot
influence. There a map is *still*: one value a channel, but for its *rim*, the few outermost rows
and columns that the zero padding of the later convolutions reaches into. So a map is held as

- `inside`: the window of it that the image influences, and
- `rim`: the map of an image of zeros, in which all still rows (and columns) are alike, so that one
  of each is kept,

and each layer goes over both. Where each part lies follows from the layers' windows. Where the
image's influence would meet the rim's, behind pool4 in VGG-16, the map is put together, and the
rest of the network goes over it as ever.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding.regions import Axis, Layout, Prepared, Span, Step, layout, plan

Rims = dict[Layout, dict[str, Tensor]]


@dataclass(frozen=True)
class SparseMap:
    """A map in its two parts.

    Attributes:
        inside: (B, C, height, width), what the image influences.
        rim: (1, C, height, width), the map of an image of zeros with one still row and column.
        axes: of the rows and of the columns.
    """

    inside: Tensor
    rim: Tensor
    axes: tuple[Axis, Axis]

    @staticmethod
    def of_image(image: Tensor, padding: int) -> "SparseMap":
        """An image with zeros around it."""
        height, width = image.shape[-2:]
        axes = Axis.of_image(height, padding), Axis.of_image(width, padding)
        return SparseMap(image, image.new_zeros(1, image.shape[1], 1, 1), axes)

    @property
    def still(self) -> Tensor:
        """The value of each channel where the map is still, (1, C, 1, 1)."""
        row, column = (axis.still[0] for axis in self.axes)
        return self.rim[..., row : row + 1, column : column + 1]

    @cached_property
    def whole(self) -> Tensor:
        """The map put together, (B, C, H, W)."""
        height, width = (axis.length for axis in self.axes)
        around = self.stretched(height, width).expand(len(self.inside), -1, -1, -1)
        return _pasted(around, self.inside, self.axes[0].seen[0], self.axes[1].seen[0])

    def stretched(self, height: int, width: int) -> Tensor:
        """The map of an image of zeros at another size: its still row and column repeated."""
        x = self.rim
        for dimension, axis, length in zip((2, 3), self.axes, (height, width), strict=True):
            first = axis.still[0]
            before, still, behind = x.tensor_split((first, first + 1), dimension)
            sides = list(x.shape)
            sides[dimension] = length - axis.rim + 1
            x = torch.cat([before, still.expand(sides), behind], dimension)
        return x

    def surrounded(self, spans: tuple[Span, Span]) -> Tensor:
        """The inside with still pixels around it, as far as these rows and columns."""
        (top, bottom), (left, right) = spans
        if spans == (self.axes[0].seen, self.axes[1].seen):
            return self.inside
        around = self.still.expand(*self.inside.shape[:2], bottom - top, right - left)
        offsets = self.axes[0].seen[0] - top, self.axes[1].seen[0] - left
        return _pasted(around, self.inside, *offsets)

    def through(self, layer: nn.Module, step: Step, rim: Tensor | None = None) -> "SparseMap":
        """The layer's output; its rim is not computed where it is known."""
        if isinstance(layer, nn.BatchNorm2d) and (layer.training or layer.running_mean is None):
            return _normalized(self, layer)
        seen = step.axes[0].seen, step.axes[1].seen
        inside = self.surrounded((step.window.reads(seen[0]), step.window.reads(seen[1])))
        if rim is None:
            rim = _run(layer, self.stretched(*step.given), step.window.padding)
        return SparseMap(_run(layer, inside, 0), rim, step.axes)


def features(
    chain: NamedSequential, image: Tensor, names: Iterable[str], rims: Rims | None = None
) -> dict[str, Tensor]:
    """The same as `chain.features(image, names)` but for rounding, without the frame's work.

    Args:
        chain: layers, the first of which pads the image.
        image: (B, C, H, W).
        names: of the layers whose outputs to give.
        rims: those of earlier calls, for a chain whose weights do not change; they are kept there.
    """
    if {type(side) for side in image.shape} != {int}:
        return chain.features(image, names)  # an export for any size has symbols instead of sizes
    steps = plan(dict(chain.named_children()), image.shape)
    if not steps:
        return chain.features(image, names)
    wanted = set(names)
    found: dict[str, Tensor] = {}
    known = {} if rims is None else rims.setdefault(layout(steps), {})
    here: SparseMap | Tensor = SparseMap.of_image(image, next(iter(steps.values())).around)
    for name, layer in chain.named_children():
        if len(found) == len(wanted):
            break
        if isinstance(here, SparseMap) and name in steps:
            here = here.through(layer, steps[name], known.get(name))
            known[name] = here.rim
        else:
            here = layer(here.whole if isinstance(here, SparseMap) else here)
        if name in wanted:
            found[name] = here.whole if isinstance(here, SparseMap) else here
    return found


def _run(layer: nn.Module, x: Tensor, padding: int) -> Tensor:
    """The layer with this padding instead of its own."""
    if isinstance(layer, Prepared):
        return layer.padded(x, padding)
    if isinstance(layer, nn.Conv2d):
        settings = layer.stride, padding, layer.dilation, layer.groups
        return F.conv2d(x, layer.weight, layer.bias, *settings)
    if isinstance(layer, nn.MaxPool2d):
        window = layer.kernel_size, layer.stride, padding, layer.dilation
        return F.max_pool2d(x, *window, layer.ceil_mode)
    out: Tensor = layer(x)
    return out


def _pasted(around: Tensor, inside: Tensor, top: int, left: int) -> Tensor:
    height, width = inside.shape[2:]
    last = inside.shape[1] > 1 and inside.is_contiguous(memory_format=torch.channels_last)
    x = around.clone(memory_format=torch.channels_last if last else torch.contiguous_format)
    x[..., top : top + height, left : left + width] = inside
    return x


def _normalized(framed: SparseMap, layer: nn.BatchNorm2d) -> SparseMap:
    """Batch norm in training: by mean and variance of the whole map, put together from the parts'.

    Variances of parts add up to the variance within; that between the parts' means comes on top.
    """
    inside, rim = framed.inside, framed.rim
    shares, outer = _shares(framed)
    variance_inside, mean_inside = torch.var_mean(inside, (0, 2, 3), correction=0, keepdim=True)
    mean_outside = (rim * shares).sum((0, 2, 3), keepdim=True)
    variance_outside = ((rim - mean_outside).square() * shares).sum((0, 2, 3), keepdim=True)
    mean = torch.lerp(mean_inside, mean_outside, outer)
    between = (mean_inside - mean_outside).square() * (outer * (1 - outer))
    variance = torch.lerp(variance_inside, variance_outside, outer) + between
    count = len(inside) * math.prod(axis.length for axis in framed.axes)
    _remember(layer, mean.detach().flatten(), variance.detach().flatten() * (count / (count - 1)))
    scale = (variance + layer.eps).rsqrt()
    shift = -mean * scale
    if layer.affine:
        scale = scale * layer.weight.view_as(mean)
        shift = -mean * scale + layer.bias.view_as(mean)
    parts = [torch.addcmul(shift, part, scale) for part in (inside, rim)]
    return SparseMap(parts[0], parts[1], framed.axes)


def _shares(framed: SparseMap) -> tuple[Tensor, float]:
    """How much of the map outside the window each pixel of the rim stands for.

    Returns:
        (1, 1, height, width) of the rim's size, one in sum; and what share of the map that is.
    """
    counts = framed.rim.new_ones(1, 1, *framed.rim.shape[2:])
    (row, column), (rows, columns) = (axis.still[0] for axis in framed.axes), framed.axes
    counts[:, :, row] *= rows.length - rows.rim + 1
    counts[..., column] *= columns.length - columns.rim + 1
    window, whole = rows.window * columns.window, rows.length * columns.length
    counts[:, :, row, column] -= window
    return counts / max(1, whole - window), 1 - window / whole


def _remember(layer: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Update the running numbers, as the layer itself does."""
    if not layer.training or layer.running_mean is None or layer.running_var is None:
        return
    momentum = layer.momentum
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        if momentum is None:
            momentum = 1 / float(layer.num_batches_tracked)
    layer.running_mean.lerp_(mean.to(layer.running_mean), momentum or 0.0)
    layer.running_var.lerp_(variance.to(layer.running_var), momentum or 0.0)
