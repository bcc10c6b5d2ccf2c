"""The backbone run backwards by un-pooling: features at every pixel, without interpolation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from fullconv.errors import ConfigError, GeometryError
from fullconv.networks.geometry import rows
from fullconv.networks.layers import NamedSequential, Unpool


class UnpoolingDecoder(nn.Module):
    """The backbone backwards (SegNet, 2017; DeconvNet, 2015): features at every pixel.

    From the top feature on, each pooling is undone with its own indices, and each convolution is
    mirrored by one of the same kernel from its outputs' width back to its inputs'. Every map has
    the size that the backbone's had there, so nothing is cropped and any image size will do.

    Args:
        backbone: a chain whose only strides are those of poolings with windows side by side.
        width: maps of the top feature.
        skips: poolings whose features are added where the mirror comes past them.

    Raises:
        ConfigError: the backbone cannot be mirrored; the message says where and why.
    """

    def __init__(self, backbone: nn.Module, width: int, skips: Sequence[str] = ()) -> None:
        super().__init__()
        blocks = list(_blocks(backbone))
        strangers = set(skips) - {block.pool for block in blocks}
        if strangers:
            raise ConfigError(
                f"the skips {', '.join(sorted(strangers))} are no poolings of the backbone; "
                f"un-pooling passes {', '.join(block.pool for block in blocks)}"
            )
        blocks.reverse()
        self.inputs = {block.pool: block.before for block in blocks}  # pooling -> what it pooled
        self.enter = NamedSequential(_mirrored("enter", width, blocks[0].width, 1, blocks[0].norm))
        for block in blocks:
            self.add_module(f"un{block.pool}", block.unpool)
            self.add_module(
                f"back{block.pool}", NamedSequential(_backwards(block, block is blocks[-1]))
            )
        self.width = blocks[-1].convolutions[0].out_channels

    def forward(
        self, x: Tensor, features: Mapping[str, Tensor], skips: Mapping[str, Tensor]
    ) -> Tensor:
        """Features (B, width, H, W) of the image's size.

        Args:
            x: the top feature.
            features: what was pooled, by name (`inputs`).
            skips: what to add, by the pooling's name.
        """
        x = self.enter(x)
        for pool, before in self.inputs.items():
            if pool in skips:
                x = x + skips[pool]
            x = self.get_submodule(f"un{pool}")(x, features[before])
            x = self.get_submodule(f"back{pool}")(x)
        return x


@dataclass(frozen=True)
class _Block:
    """A backbone's convolutions up to a pooling."""

    pool: str
    before: str  # the layer whose output is pooled
    unpool: Unpool
    names: tuple[str, ...]
    convolutions: tuple[nn.Conv2d, ...]
    norm: bool

    @property
    def width(self) -> int:
        return self.convolutions[-1].out_channels


def _blocks(backbone: nn.Module) -> Iterator[_Block]:
    """The backbone block by block, checked to be one that can be mirrored."""
    if not isinstance(backbone, NamedSequential) or not _pools(backbone):
        raise ConfigError(
            "un-pooling needs a chain of convolutions and max poolings such as VGG; this backbone "
            f'({type(backbone).__name__}) is none; use the upsampling "bilinear"'
        )
    names: list[str] = []
    convolutions: list[nn.Conv2d] = []
    norm, before = False, ""
    for name, layer in backbone.named_children():
        if isinstance(layer, nn.Conv2d):
            _check_size_kept(name, layer)
            names.append(name)
            convolutions.append(layer)
        norm = norm or isinstance(layer, nn.BatchNorm2d)
        if isinstance(layer, nn.MaxPool2d):
            unpool = _unpool(name, layer)
            yield _Block(name, before, unpool, tuple(names), tuple(convolutions), norm)
            names, convolutions, norm = [], [], False
        before = name


def _pools(backbone: NamedSequential) -> list[nn.Module]:
    return [layer for layer in backbone.children() if isinstance(layer, nn.MaxPool2d)]


def _unpool(name: str, pool: nn.MaxPool2d) -> Unpool:
    try:
        return Unpool(pool)
    except GeometryError as error:
        raise ConfigError(f"{name}: {error}; use the upsampling bilinear") from error


def _check_size_kept(name: str, layer: nn.Conv2d) -> None:
    kernel, stride, padding, dilation = rows(layer)
    if stride != 1 or 2 * padding != dilation * (kernel - 1):
        raise ConfigError(
            f"{name} (kernel {kernel}, stride {stride}, padding {padding}) changes the map's size, "
            "so un-pooling cannot mirror it; expected a backbone in which only poolings do, such "
            'as VGG with padding "same"'
        )


def _backwards(block: _Block, last: bool) -> Iterator[tuple[str, nn.Module]]:
    # The convolution behind the un-pooling sees one value a window, and zeros else.
    share = block.unpool.window**-2
    for name, layer in zip(reversed(block.names), reversed(block.convolutions), strict=True):
        # The image's three channels are no features: scores are taken from as many as conv1_1 has.
        image = last and layer is block.convolutions[0]
        narrow = layer.out_channels if image else layer.in_channels
        kernel = int(layer.kernel_size[0])
        yield from _mirrored(name, layer.out_channels, narrow, kernel, block.norm, share)
        share = 1.0


def _mirrored(
    name: str, wide: int, narrow: int, kernel: int, norm: bool, share: float = 1.0
) -> Iterator[tuple[str, nn.Module]]:
    """Convolution, norm and ReLU; `share` is the part of its inputs that is not always zero."""
    convolution = nn.Conv2d(wide, narrow, kernel, padding=(kernel - 1) // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    convolution.weight.data /= share**0.5  # He et al. (2015), counting the inputs that say anything
    yield name, convolution
    if norm:
        yield f"norm_{name}", nn.BatchNorm2d(narrow)
    yield f"relu_{name}", nn.ReLU()
