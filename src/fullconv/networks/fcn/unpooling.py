"""A decoder by max-unpooling (SegNet, DeconvNet): the backbone mirrored, without interpolation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from fullconv.errors import ConfigError, GeometryError
from fullconv.networks.geometry import window_of
from fullconv.networks.layers import NamedSequential, Unpool


class UnpoolingDecoder(nn.Module):
    """Compute features at every pixel by the mirrored backbone (SegNet 2017, DeconvNet 2015).

    From the top feature on, each pooling is undone with its own indices, and each convolution is
    mirrored by one of the same kernel from its output channels back to its input channels. Every
    map has the size of the backbone's map there, so nothing is cropped and any image size works.

    Args:
        backbone: a sequence of layers in which only non-overlapping poolings have a stride.
        width: channels of the top feature.
        skips: poolings whose features are added before they are undone.

    Raises:
        ConfigError: the backbone cannot be mirrored; the message names the layer and the reason.
    """

    def __init__(self, backbone: nn.Module, width: int, skips: Sequence[str] = ()) -> None:
        super().__init__()
        blocks = list(_blocks(backbone))
        unknown = set(skips) - {block.pool for block in blocks}
        if unknown:
            raise ConfigError(
                f"skips {', '.join(sorted(unknown))} are not poolings of the backbone; expected "
                f"some of {', '.join(block.pool for block in blocks)}"
            )
        blocks.reverse()
        self.inputs = {block.pool: block.before for block in blocks}  # pooling -> its input
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
        """Return features (B, width, H, W) of the image's size.

        Args:
            x: the top feature.
            features: the poolings' inputs, by name (`inputs`).
            skips: features to add, by the pooling's name.
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
    """The convolutions of a backbone up to a pooling."""

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
    """Yield the backbone block by block; check that it can be mirrored."""
    if not isinstance(backbone, NamedSequential) or not _pools(backbone):
        raise ConfigError(
            f"unpooling cannot mirror this backbone ({type(backbone).__name__}); expected a "
            'sequence of convolutions and max poolings such as VGG; or use upsampling "bilinear"'
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
        raise ConfigError(f'{name}: {error}; or use upsampling "bilinear"') from error


def _check_size_kept(name: str, layer: nn.Conv2d) -> None:
    window = window_of(layer)
    if window.stride != 1 or 2 * window.padding != window.extent - 1:
        raise ConfigError(
            f"{name} (kernel {window.kernel}, stride {window.stride}, padding {window.padding}) "
            "changes the map's size, so unpooling cannot mirror it; expected a backbone in which "
            'only poolings do, such as VGG with padding "same"'
        )


def _backwards(block: _Block, last: bool) -> Iterator[tuple[str, nn.Module]]:
    # The convolution after the unpooling gets one value per window, and zeros otherwise.
    share = block.unpool.window**-2
    for name, layer in zip(reversed(block.names), reversed(block.convolutions), strict=True):
        # The last features have as many channels as conv1_1's output, not the image's three.
        image = last and layer is block.convolutions[0]
        narrow = layer.out_channels if image else layer.in_channels
        kernel = int(layer.kernel_size[0])
        yield from _mirrored(name, layer.out_channels, narrow, kernel, block.norm, share)
        share = 1.0


def _mirrored(
    name: str, wide: int, narrow: int, kernel: int, norm: bool, share: float = 1.0
) -> Iterator[tuple[str, nn.Module]]:
    """Yield convolution, norm and ReLU; `share` is the fraction of its inputs that is not zero."""
    convolution = nn.Conv2d(wide, narrow, kernel, padding=(kernel - 1) // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    convolution.weight.data /= share**0.5  # He et al. (2015), counting inputs that are not zero
    yield name, convolution
    if norm:
        yield f"norm_{name}", nn.BatchNorm2d(narrow)
    yield f"relu_{name}", nn.ReLU()
