"""Derive which part of a padded feature map the image can influence.

All of it follows from the layers' windows, in whole numbers. `sparse` computes with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import SlidingWindow, Span, window_of

# Layers whose output pixel depends on one input pixel, and on nothing random. Batch norm in
# training needs the mean and variance of the whole map; `sparse` combines them from the parts.
_POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Identity),
    *(nn.BatchNorm2d, nn.LocalResponseNorm),
)

BorderKey = tuple[tuple[int, int, int], ...]


class FusedLayer(nn.Module):
    """Several layers fused into one for speed; see `inference.cpu.optimize`.

    Attributes:
        window: of the convolution in it.
        weights: multiplications per output pixel.
    """

    window: SlidingWindow
    weights: int

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        return self.padded(x, self.window.padding)

    def padded(self, x: Tensor, padding: int) -> Tensor:
        """Compute the output with this padding in place of the window's."""
        raise NotImplementedError


@dataclass(frozen=True)
class AxisRegions:
    """The regions of a feature map along its rows or its columns.

    Attributes:
        length: of the whole map.
        constant: where the map of an all-zero image has one value per channel.
        influenced: what the image can change; it is inside of `constant`.
    """

    length: int
    constant: Span
    influenced: Span

    @staticmethod
    def of_image(side: int, padding: int) -> "AxisRegions":
        """Return the regions of a zero-padded image: without the image, all of it is constant."""
        length = side + 2 * padding
        return AxisRegions(length, (0, length), (padding, padding + side))

    @property
    def core(self) -> int:
        """Number of influenced positions."""
        return self.influenced[1] - self.influenced[0]

    @property
    def border(self) -> int:
        """Number of positions that remain if the constant ones are collapsed into one."""
        return self.length - (self.constant[1] - self.constant[0]) + 1

    def through(self, window: SlidingWindow) -> "AxisRegions | None":
        """Return the regions of a layer's output, or None if they are no longer separate."""
        influenced = window.touching(self.influenced)
        first, end = window.reads(influenced)
        skips_inputs = window.extent < window.stride
        if skips_inputs or first < self.constant[0] or end > self.constant[1]:
            return None
        return AxisRegions(window.outputs(self.length), window.within(self.constant), influenced)


@dataclass(frozen=True)
class LayerRegions:
    """How one layer is applied to a map in two parts.

    Attributes:
        window: the layer's; for the first layer without its padding.
        image_padding: the padding of the first layer, which counts as part of the image; else 0.
        axes: regions of the output along rows and columns.
        border_input: (height, width) of the input from which the output's border is computed.
    """

    window: SlidingWindow
    image_padding: int
    axes: tuple[AxisRegions, AxisRegions]
    border_input: tuple[int, int]

    @property
    def saved_pixels(self) -> int:
        """Output pixels per image that the image does not influence."""
        rows, columns = self.axes
        return rows.length * columns.length - rows.core * columns.core

    @property
    def border_pixels(self) -> int:
        """Output pixels of the border, which are computed once per batch."""
        return self.axes[0].border * self.axes[1].border


def plan_regions(layers: Mapping[str, nn.Module], shape: Sequence[int]) -> dict[str, LayerRegions]:
    """Return the first layers' regions, as far as splitting the maps saves multiplications.

    Args:
        layers: in the order in which they run, by name.
        shape: of a batch of images, (B, C, H, W).
    """
    regions: dict[str, LayerRegions] = {}
    saved = most_saved = kept = 0
    for name, region in _regions(layers, shape):
        regions[name] = region
        saved += _weights(layers[name]) * (shape[0] * region.saved_pixels - region.border_pixels)
        if saved > 0 and saved >= most_saved:
            most_saved, kept = saved, len(regions)
    return dict(list(regions.items())[:kept])


def border_key(regions: Mapping[str, LayerRegions]) -> BorderKey:
    """Return what the borders depend on besides the weights.

    Images of different sizes share borders if their sizes leave the same remainders in poolings.
    """
    return tuple(
        (length, axis.border, axis.constant[0])
        for region in regions.values()
        for length, axis in zip(region.border_input, region.axes, strict=True)
    )


def layer_window(layer: nn.Module) -> SlidingWindow:
    """Return the window of any layer; layers without one work pixel by pixel.

    Raises:
        GeometryError: the window differs along rows and columns.
    """
    if isinstance(layer, FusedLayer):
        return layer.window
    return window_of(layer) if isinstance(layer, nn.Conv2d | nn.MaxPool2d) else SlidingWindow()


def can_split(layer: nn.Module) -> bool:
    """Return whether the layer may be applied to parts of a map, and has no hooks to notice it."""
    if has_hooks(layer):
        return False
    if isinstance(layer, FusedLayer):
        return True
    kind = type(layer)  # subclasses may compute anything
    if kind in (nn.Dropout, nn.Dropout2d):
        return not layer.training
    if kind not in (nn.Conv2d, nn.MaxPool2d):
        return kind in _POINTWISE
    zero_padded = getattr(layer, "padding_mode", "zeros") == "zeros"
    return zero_padded and not getattr(layer, "return_indices", False) and _is_square(layer)


def has_hooks(layer: nn.Module) -> bool:
    """Return whether the layer has hooks, which would see parts where whole maps are expected."""
    forward = layer._forward_hooks or layer._forward_pre_hooks
    return bool(forward or layer._backward_hooks or layer._backward_pre_hooks)


def _regions(
    layers: Mapping[str, nn.Module], shape: Sequence[int]
) -> Iterator[tuple[str, LayerRegions]]:
    """Yield layers up to one that cannot be split, or whose influenced part meets the border."""
    axes: tuple[AxisRegions, AxisRegions] | None = None
    for name, layer in layers.items():
        if not can_split(layer):
            return
        window, padding = layer_window(layer), 0
        if axes is None:
            padding, window = window.padding, replace(window, padding=0)
            axes = AxisRegions.of_image(shape[2], padding), AxisRegions.of_image(shape[3], padding)
        rows, columns = axes[0].through(window), axes[1].through(window)
        if rows is None or columns is None:
            return
        needed = _border_input(axes[0], rows, window), _border_input(axes[1], columns, window)
        axes = rows, columns
        yield name, LayerRegions(window, padding, axes, needed)


def _border_input(before: AxisRegions, after: AxisRegions, window: SlidingWindow) -> int:
    # An output that is shorter by n positions needs an input that is shorter by n strides.
    return before.length - (after.length - after.border) * window.stride


def _weights(layer: nn.Module) -> int:
    if isinstance(layer, FusedLayer):
        return layer.weights
    return layer.weight.numel() if isinstance(layer, nn.Conv2d) else 0


def _is_square(layer: nn.Module) -> bool:
    try:
        layer_window(layer)
    except GeometryError:
        return False
    return True
