"""Which rows of a map an image influences, which its zero padding does, and which are all alike.

All of it follows from the layers' windows, in whole numbers; `frame` computes with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import extent, rows

# What a pixel becomes follows from that pixel, and from nothing random. Batch norm in training
# needs all pixels of a map, but only their mean and variance.
_POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Identity),
    *(nn.BatchNorm2d, nn.LocalResponseNorm),
)

Span = tuple[int, int]  # first position, and the one behind the last
Layout = tuple[tuple[int, int, int], ...]


class Prepared(nn.Module):
    """Layers put together into one that is faster; see `optimizing`.

    Attributes:
        window: what it reads.
        weights: multiplications for an output pixel.
    """

    window: "Window"
    weights: int

    def forward(self, x: Tensor) -> Tensor:
        """Its output."""
        return self.padded(x, self.window.padding)

    def padded(self, x: Tensor, padding: int) -> Tensor:
        """Its output with this padding instead of the window's."""
        raise NotImplementedError


@dataclass(frozen=True)
class Window:
    """What a layer reads for output `i`: `size` positions from `i * stride - padding` on.

    Attributes:
        size: 1 for a layer that goes pixel by pixel.
        stride: positions from one output's window to the next one's.
        padding: positions of padding at either end.
        ceil: whether a last window that is not full counts, as in Caffe's poolings.
    """

    size: int = 1
    stride: int = 1
    padding: int = 0
    ceil: bool = False

    @staticmethod
    def of(layer: nn.Module) -> "Window":
        """The window of a layer."""
        if isinstance(layer, Prepared):
            return layer.window
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            return Window()
        _, stride, padding, _ = rows(layer)
        return Window(extent(layer), stride, padding, getattr(layer, "ceil_mode", False))

    def outputs(self, length: int) -> int:
        """How many outputs it has on `length` positions."""
        room = length + 2 * self.padding - self.size
        if not self.ceil:
            return room // self.stride + 1
        count = -(room // -self.stride) + 1
        begins = (count - 1) * self.stride - self.padding
        return count - (begins >= length)  # the last window has to begin on the map

    def reads(self, outputs: Span) -> Span:
        """The positions that these outputs read."""
        first, last = outputs[0], outputs[1] - 1
        return first * self.stride - self.padding, last * self.stride - self.padding + self.size

    def within(self, span: Span) -> Span:
        """The outputs that read nothing but positions in `span`."""
        first, end = span
        stop = (end + self.padding - self.size) // self.stride + 1
        return -((first + self.padding) // -self.stride), stop

    def touching(self, span: Span) -> Span:
        """The outputs that read any position in `span`, the ends of the map not minded."""
        first, end = span
        start = (first + self.padding - self.size) // self.stride + 1
        return start, -((end + self.padding) // -self.stride)


@dataclass(frozen=True)
class Axis:
    """What lies where along the rows of a map, or along its columns.

    Attributes:
        length: of the whole map.
        still: where all positions of the map of an image of zeros are alike.
        seen: what the image influences; inside of `still`.
    """

    length: int
    still: Span
    seen: Span

    @staticmethod
    def of_image(side: int, padding: int) -> "Axis":
        """Of an image with zeros around it: without the image they are alike everywhere."""
        length = side + 2 * padding
        return Axis(length, (0, length), (padding, padding + side))

    @property
    def window(self) -> int:
        """How many positions are seen."""
        return self.seen[1] - self.seen[0]

    @property
    def rim(self) -> int:
        """How many are left when one still position is kept."""
        return self.length - (self.still[1] - self.still[0]) + 1

    def through(self, window: Window) -> "Axis | None":
        """The same of a layer's output; None where the image's influence meets the rim's."""
        seen = window.touching(self.seen)
        begin, stop = window.reads(seen)
        gaps = window.size < window.stride  # some positions are never read
        if gaps or begin < self.still[0] or stop > self.still[1]:
            return None
        return Axis(window.outputs(self.length), window.within(self.still), seen)


@dataclass(frozen=True)
class Step:
    """How a map in parts goes through one layer.

    Attributes:
        window: the layer's; the first one's is without padding.
        around: that padding, which counts as part of the image; 0 for all other layers.
        axes: of the output's rows and of its columns.
        given: rows and columns that the map of an image of zeros needs for the output's rim.
    """

    window: Window
    around: int
    axes: tuple[Axis, Axis]
    given: tuple[int, int]

    @property
    def spared(self) -> int:
        """Output pixels of an image that the image does not influence."""
        rows, columns = self.axes
        return rows.length * columns.length - rows.window * columns.window

    @property
    def extra(self) -> int:
        """Output pixels of the rim."""
        return self.axes[0].rim * self.axes[1].rim


def plan(layers: Mapping[str, nn.Module], shape: Sequence[int]) -> dict[str, Step]:
    """The first layers, as far as computing their outputs in parts saves multiplications.

    Args:
        layers: one after the other, by name.
        shape: of a batch of images, (B, C, H, W).
    """
    steps: dict[str, Step] = {}
    saved = most = kept = 0
    for name, step in _steps(layers, shape):
        steps[name] = step
        saved += _weights(layers[name]) * (shape[0] * step.spared - step.extra)
        if saved > 0 and saved >= most:
            most, kept = saved, len(steps)
    return dict(list(steps.items())[:kept])


def layout(steps: Mapping[str, Step]) -> Layout:
    """What the rims depend on besides the weights: how an image's size leaves poolings uneven."""
    return tuple(
        (length, axis.rim, axis.still[0])
        for step in steps.values()
        for length, axis in zip(step.given, step.axes, strict=True)
    )


def _steps(layers: Mapping[str, nn.Module], shape: Sequence[int]) -> Iterator[tuple[str, Step]]:
    """The layers up to where the image's influence meets the rim's, or nothing is known of one."""
    axes: tuple[Axis, Axis] | None = None
    for name, layer in layers.items():
        if not known(layer):
            return
        window, around = Window.of(layer), 0
        if axes is None:
            around, window = window.padding, replace(window, padding=0)
            axes = Axis.of_image(shape[2], around), Axis.of_image(shape[3], around)
        rows, columns = axes[0].through(window), axes[1].through(window)
        if rows is None or columns is None:
            return
        given = _given(axes[0], rows, window), _given(axes[1], columns, window)
        axes = rows, columns
        yield name, Step(window, around, axes, given)


def _given(before: Axis, after: Axis, window: Window) -> int:
    # An output shorter by some positions needs an input shorter by a stride for each.
    return before.length - (after.length - after.rim) * window.stride


def _weights(layer: nn.Module) -> int:
    if isinstance(layer, Prepared):
        return layer.weights
    return layer.weight.numel() if isinstance(layer, nn.Conv2d) else 0


def known(layer: nn.Module) -> bool:
    """Whether a layer's window says all, and nobody watches what goes through it."""
    if watched(layer):
        return False
    if isinstance(layer, Prepared):
        return True
    kind = type(layer)  # of a kind derived from these, nothing is known
    if kind in (nn.Dropout, nn.Dropout2d):
        return not layer.training
    if kind not in (nn.Conv2d, nn.MaxPool2d):
        return kind in _POINTWISE
    plain = getattr(layer, "padding_mode", "zeros") == "zeros"
    return plain and not getattr(layer, "return_indices", False) and _square(layer)


def watched(layer: nn.Module) -> bool:
    """Whether somebody has hooks on it, who would see parts where whole maps are expected."""
    forward = layer._forward_hooks or layer._forward_pre_hooks
    return bool(forward or layer._backward_hooks or layer._backward_pre_hooks)


def _square(layer: nn.Module) -> bool:
    try:
        Window.of(layer)
    except GeometryError:
        return False
    return True
