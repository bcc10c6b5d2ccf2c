"""The exact short cut (see `frame`) as one plain chain of layers, for images of one size.

Slices and concatenations between layers would break a runtime's chains of int8. None is needed: a
map minus its still values is zero wherever it is still, so that a convolution's own zero padding
goes on with it exactly, as far as the image's influence grows. In the end the map of an image of
zeros, which is a constant, is added.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.networks.layers import FeatureInfo, NamedSequential
from fullconv.networks.padding.regions import Span, Step, plan

Windows = nn.Conv2d | nn.MaxPool2d
Spans = tuple[Span, Span]


class FixedSizeBackbone(nn.Module):
    """A chain that pads the image, computed only where the image has an influence.

    Args:
        chain: the layers, in evaluation mode.
        size: (height, width) of all images.
        names: of the layers whose outputs will be asked for.
    """

    def __init__(self, chain: NamedSequential, size: tuple[int, int], names: Iterable[str]) -> None:
        super().__init__()
        self.layers = chain
        self.steps = plan(dict(chain.named_children()), (1, 3, *size))
        wanted = {*names, *list(self.steps)[-1:]}
        x, still = torch.zeros(1, 3, *size), torch.zeros(1, 3, 1, 1)
        self.register_buffer("still", still)
        with torch.no_grad():
            for name in self.steps:
                layer = chain.get_submodule(name)
                x, still = layer(x), _still(layer, still)
                self.register_buffer(f"still_{name}", still)
                if name in wanted:
                    self.register_buffer(f"empty_{name}", x)

    @property
    def top(self) -> str:
        """Name of the last layer."""
        return self.layers.top

    def taps(self) -> dict[str, FeatureInfo]:
        """Width and receptive field of every layer's output."""
        return self.layers.taps()

    def skip(self, stride: int) -> str | None:
        """The pooling that reaches `stride`, or None."""
        return self.layers.skip(stride)

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the layers called `names`."""
        wanted, found = set(names), dict[str, Tensor]()
        spans: Spans | None = None  # of x in the whole map
        still, lowered = self.get_buffer("still"), True  # x's values there; whether less those
        for name, layer in self.layers.named_children():
            if len(found) == len(wanted):
                break
            step = self.steps.get(name)
            if step is None:
                x = layer(x)
                found |= {name: x} if name in wanted else {}
                continue
            if isinstance(layer, Windows):
                x = _continued(x if lowered else x - still, spans or _of_image(x, step), step)
                x, lowered = self._run(name, layer, x), isinstance(layer, nn.MaxPool2d)
            else:
                x, lowered = layer(x + still if lowered else x), False
            spans = step.axes[0].seen, step.axes[1].seen
            still = self.get_buffer(f"still_{name}")
            if f"empty_{name}" in self._buffers:
                empty = self.get_buffer(f"empty_{name}")
                whole = _whole(x if lowered else x - still, spans, empty)
                found |= {name: whole} if name in wanted else {}
                x = whole if name == next(reversed(self.steps)) else x
        return found

    def _run(self, name: str, layer: nn.Module, x: Tensor) -> Tensor:
        """A convolution's output, or a pooling's, which again is zero where it is still."""
        if isinstance(layer, nn.Conv2d):
            # On zeros it gives what the layer gives where the map is still: that is its bias here.
            still = self.get_buffer(f"still_{name}").flatten()
            settings = layer.stride, 0, layer.dilation, layer.groups
            return F.conv2d(x, layer.weight, still, *settings)
        assert isinstance(layer, nn.MaxPool2d)
        return F.max_pool2d(x, layer.kernel_size, layer.stride, 0, layer.dilation)


def _still(layer: nn.Module, still: Tensor) -> Tensor:
    """What a layer makes of a map that is alike everywhere, (1, C, 1, 1)."""
    if isinstance(layer, nn.MaxPool2d):
        return still
    if not isinstance(layer, nn.Conv2d):
        out: Tensor = layer(still)
        return out
    sums = F.conv2d(
        still.expand(-1, -1, *layer.kernel_size), layer.weight, layer.bias, groups=layer.groups
    )
    return sums


def _of_image(image: Tensor, step: Step) -> Spans:
    """Where the image lies among the zeros that its first layer puts around it."""
    height, width = image.shape[-2:]
    return (step.around, step.around + height), (step.around, step.around + width)


def _continued(x: Tensor, spans: Spans, step: Step) -> Tensor:
    """The map, zero where it is still, as far as the layer's windows reach."""
    pads: list[int] = []
    for (begin, end), axis in zip(spans, step.axes, strict=True):
        first, stop = step.window.reads(axis.seen)
        pads = [begin - first, stop - end, *pads]
    return F.pad(x, pads) if any(pads) else x


def _whole(x: Tensor, spans: Sequence[Span], empty: Tensor) -> Tensor:
    """The whole map: what the image adds to that of an image of zeros."""
    pads: list[int] = []
    for (begin, end), length in zip(spans, empty.shape[-2:], strict=True):
        pads = [begin, length - end, *pads]
    return F.pad(x, pads) + empty
