"""Sparse padding for one image size, as a plain sequence of layers for export.

Slices and concatenations between layers, as in `sparse`, would break the int8 chains of a runtime.
This form needs none: after its constant values are subtracted, a map is zero in its constant
region, so a convolution's own zero padding continues it exactly, as far as the image's influence
grows, and as far as a pooling after it reads: a pooling pads with other values. At the end the map
of an all-zero image, which is a constant tensor, is added.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.networks.geometry import Span
from fullconv.networks.layers import FeatureInfo, NamedSequential
from fullconv.networks.padding.regions import LayerRegions, plan_regions

WindowLayers = nn.Conv2d | nn.MaxPool2d
Spans = tuple[Span, Span]


class FixedSizeBackbone(nn.Module):
    """A backbone with wide padding that computes only what the image influences.

    Args:
        chain: the layers, in evaluation mode.
        size: (height, width) of all images.
        names: of the layers whose outputs will be asked for.
    """

    def __init__(self, chain: NamedSequential, size: tuple[int, int], names: Iterable[str]) -> None:
        super().__init__()
        self.layers = chain
        self.regions = plan_regions(dict(chain.named_children()), (1, 3, *size))
        self.spans = _computed_spans(chain, self.regions)
        assembled = {*names, *list(self.regions)[-1:]}
        x, constant = torch.zeros(1, 3, *size), torch.zeros(1, 3, 1, 1)
        self.register_buffer("constant", constant)
        with torch.no_grad():
            for name in self.regions:
                layer = chain.get_submodule(name)
                x, constant = layer(x), _constant(layer, constant)
                self.register_buffer(f"constant_{name}", constant)
                self.register_buffer(f"negative_{name}", -constant)
                if name in assembled:
                    self.register_buffer(f"empty_{name}", x)

    @property
    def top(self) -> str:
        """Name of the last layer."""
        return self.layers.top

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return the width and receptive field of every layer's output."""
        return self.layers.feature_info()

    def skip(self, stride: int) -> str | None:
        """Return the name of the pooling that reaches `stride`, or None."""
        return self.layers.skip(stride)

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the outputs of the layers `names`."""
        wanted, outputs = set(names), dict[str, Tensor]()
        spans: Spans | None = None  # the part of the map that x covers
        before = ""  # the layer that x comes from
        subtracted = True  # whether the constant values are subtracted from x
        for name, layer in self.layers.named_children():
            if len(outputs) == len(wanted):
                break
            regions = self.regions.get(name)
            if regions is None:
                x = layer(x)
                outputs |= {name: x} if name in wanted else {}
                continue
            if isinstance(layer, WindowLayers):
                core = x if subtracted else self._subtracted(x, before)
                reads = _reads(regions, self.spans[name])
                core = _pad_core(core, spans or _image_spans(x, regions), reads)
                x, subtracted = self._run(name, layer, core), isinstance(layer, nn.MaxPool2d)
            else:
                values = x + self._constant_of(before) if subtracted else x
                x, subtracted = layer(values), False
            spans, before = self.spans[name], name
            if f"empty_{name}" in self._buffers:
                empty = self.get_buffer(f"empty_{name}")
                full = _assemble(x if subtracted else self._subtracted(x, name), spans, empty)
                outputs |= {name: full} if name in wanted else {}
                x = full if name == next(reversed(self.regions)) else x
        return outputs

    def _constant_of(self, name: str) -> Tensor:
        """Return the constant values of a layer's output; without a name, of the image."""
        return self.get_buffer(f"constant_{name}" if name else "constant")

    def _subtracted(self, x: Tensor, name: str) -> Tensor:
        """Return a layer's output without its constant values.

        Runtimes add in int8, and do not subtract.
        """
        return x + self.get_buffer(f"negative_{name}")

    def _run(self, name: str, layer: nn.Module, x: Tensor) -> Tensor:
        """Return a convolution's output, or a pooling's with the constant values subtracted."""
        if isinstance(layer, nn.Conv2d):
            # x is zero in its constant region, so the constant output takes the place of the bias.
            bias = self.get_buffer(f"constant_{name}").flatten()
            settings = layer.stride, 0, layer.dilation, layer.groups
            return F.conv2d(x, layer.weight, bias, *settings)
        assert isinstance(layer, nn.MaxPool2d)
        return F.max_pool2d(x, layer.kernel_size, layer.stride, 0, layer.dilation)


def _constant(layer: nn.Module, constant: Tensor) -> Tensor:
    """Return the layer's output on a map with one value per channel, (1, C, 1, 1)."""
    if isinstance(layer, nn.MaxPool2d):
        return constant
    if not isinstance(layer, nn.Conv2d):
        out: Tensor = layer(constant)
        return out
    window = constant.expand(-1, -1, *layer.kernel_size)
    return F.conv2d(window, layer.weight, layer.bias, groups=layer.groups)


def _computed_spans(chain: nn.Module, regions: Mapping[str, LayerRegions]) -> dict[str, Spans]:
    """Return the part of each layer's map to compute: what the image influences, and poolings read.

    A pooling reads up to a window beyond what the image influences.
    """
    spans: dict[str, Spans] = {}
    wanted: Spans | None = None  # by the layers after it; None for what the image influences
    for name, layer in reversed(list(regions.items())):
        rows, columns = layer.axes
        spans[name] = wanted or (rows.influenced, columns.influenced)
        if isinstance(chain.get_submodule(name), nn.MaxPool2d):
            wanted = _reads(layer, spans[name])
        elif isinstance(chain.get_submodule(name), nn.Conv2d):
            wanted = None
    return spans


def _reads(regions: LayerRegions, spans: Spans) -> Spans:
    """Return the part of its input that a layer reads for a part of its output."""
    rows, columns = spans
    return regions.window.reads(rows), regions.window.reads(columns)


def _image_spans(image: Tensor, regions: LayerRegions) -> Spans:
    """Return the image's position inside the padding of the first layer."""
    height, width = image.shape[-2:]
    start = regions.image_padding
    return (start, start + height), (start, start + width)


def _pad_core(x: Tensor, spans: Spans, reads: Spans) -> Tensor:
    """Pad the map, which covers `spans`, with zeros, its constant value, to cover `reads`."""
    pads: list[int] = []
    for (first, end), (start, stop) in zip(spans, reads, strict=True):
        pads = [first - start, stop - end, *pads]
    return F.pad(x, pads) if any(pads) else x


def _assemble(x: Tensor, spans: Sequence[Span], empty: Tensor) -> Tensor:
    """Return the full map: the image's contribution added to the map of an all-zero image."""
    pads: list[int] = []
    for (first, end), length in zip(spans, empty.shape[-2:], strict=True):
        pads = [first, length - end, *pads]
    return F.pad(x, pads) + empty
