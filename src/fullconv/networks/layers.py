"""Layers that PyTorch lacks: named sequences, upsampling with known geometry, checked crops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import RGB
from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field, coord_map, extent, window_of
from fullconv.networks.image_tensor import check_images

Sides = Sequence[int | torch.SymInt]  # (height, width); symbols while a network is exported


@dataclass(frozen=True)
class FeatureInfo:
    """The number of channels and the receptive field of a backbone's feature."""

    width: int
    field: Field


@runtime_checkable
class Backbone(Protocol):
    """A fully convolutional classifier without its scores, as an FCN uses it."""

    @property
    def top(self) -> str:
        """Name of the feature that the coarsest scores are computed from."""

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the features `names` of an image."""

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return the width and receptive field of each feature."""

    def skip(self, stride: int) -> str | None:
        """Return the name of the feature to fuse at `stride`, or None."""


class NamedSequential(nn.Module):
    """Named layers, one after another; the output of each is available by its name."""

    def __init__(self, layers: Iterable[tuple[str, nn.Module]] = ()) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer's output."""
        for layer in self.children():
            x = layer(x)
        return x

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the outputs of the layers `names`; nothing after the last of them is computed."""
        wanted = set(names)
        outputs: dict[str, Tensor] = {}
        for name, layer in self.named_children():
            if len(outputs) == len(wanted):
                break
            x = layer(x)
            if name in wanted:
                outputs[name] = x
        return outputs

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return the width and receptive field of every layer's output, in order."""
        info: dict[str, FeatureInfo] = {}
        width, field = 3, Field()
        for name, layer in self.named_children():
            width = getattr(layer, "out_channels", width)
            field = field.through(layer)
            info[name] = FeatureInfo(width, field)
        return info

    @property
    def top(self) -> str:
        """Name of the last layer."""
        return list(self._modules)[-1]

    def skip(self, stride: int) -> str | None:
        """Return the pooling that reaches `stride`, or None: pool4 for 16 in VGG."""
        for name, info in self.feature_info().items():
            if info.field.stride == stride and isinstance(self._modules[name], nn.MaxPool2d):
                return name
        return None


class Context(NamedSequential):
    """A 3x3 convolution, batch norm and ReLU before a score layer, for more context.

    Args:
        maps: channels of the features.
        width: channels of the result, which has the features' size.
    """

    def __init__(self, maps: int, width: int) -> None:
        conv = nn.Conv2d(maps, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        super().__init__([("conv", conv), ("bn", nn.BatchNorm2d(width)), ("relu", nn.ReLU())])

    def after(self, info: FeatureInfo) -> FeatureInfo:
        """Return the width and receptive field of the output for a feature."""
        field = info.field
        for layer in self.children():
            field = field.through(layer)
        return FeatureInfo(self.get_submodule("conv").out_channels, field)  # type: ignore[arg-type]


class Normalize(nn.Module):
    """Normalize images in [0, 255]: `(x - mean) / std`, in the channel order `order`.

    It is part of the network, so a data set, an export or a server cannot disagree with training.
    The numbers are settings in a model file's header, not weights.

    Args:
        mean: of each channel, in [0, 255]: red, green, blue, then any others.
        std: likewise.
        order: of the first three channels in the first convolution's input, "rgb" or "bgr".
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], order: str = "rgb") -> None:
        super().__init__()
        self.order = order
        for name, values in (("mean", mean), ("std", std)):
            row = torch.tensor(tuple(values), dtype=torch.float32)
            self.register_buffer(name, row.view(1, -1, 1, 1), persistent=False)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Return the normalized image, of the same shape.

        Raises:
            ImageError: see `check_images`.
        """
        check_images(image, self.mean.shape[1], self.mean.dtype)
        x = (image - self.mean) / self.std
        if self.order == "rgb":
            return x
        if self.mean.shape[1] == RGB:
            return x.flip(1)
        return torch.cat([x[:, :RGB].flip(1), x[:, RGB:]], 1)


def bilinear_kernel(size: int) -> Float[Tensor, "size size"]:
    """Return the weights of bilinear interpolation, as Caffe's filler does.

    A kernel of size 2f (or 2f - 1) upsamples by the factor f (paper, section 3.3).
    """
    factor = (size + 1) // 2
    tent = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return torch.outer(tent, tent)


class TransposedUpsample(nn.ConvTranspose2d):
    """Upsample score maps by a transposed convolution (paper, section 3.3).

    It is initialized as bilinear interpolation. Nothing is cropped: the output has
    `factor * (input - 1) + kernel` rows and columns, and the network crops it. Weights are
    (classes, classes, kernel, kernel), as in Caffe's Deconvolution.

    Args:
        classes: score maps in and out.
        factor: of the size.
        kernel: 2 * factor, or one less if only that aligns the pixels with whole positions.
        learned: whether training changes the weights; the authors kept them fixed.
    """

    def __init__(
        self, classes: int, factor: int, kernel: int | None = None, learned: bool = False
    ) -> None:
        super().__init__(classes, classes, kernel or 2 * factor - factor % 2, factor, bias=False)
        self.factor = factor
        with torch.no_grad():
            self.weight.zero_()
            self.weight[range(classes), range(classes)] = bilinear_kernel(self.kernel_size[0])
        self.weight.requires_grad_(learned)


class BilinearUpsample(nn.Module):
    """Upsample score maps by bilinear interpolation; it has no weights.

    The output's pixels are those of a `TransposedUpsample` with this kernel, so both are cropped
    alike. Past the centres of the outermost pixels it repeats them, where the transposed
    convolution fades to zero.

    Args:
        factor: of the size.
        kernel: of the corresponding `TransposedUpsample`. 2 * factor, for an even factor, puts the
            pixels on half positions of the input: PyTorch's align_corners=False. 2 * factor - 1
            puts them on whole positions: align_corners=True, at the one size at which its scale is
            1 / factor.
    """

    def __init__(self, factor: int, kernel: int | None = None) -> None:
        super().__init__()
        self.factor = factor
        self.kernel = kernel or 2 * factor - factor % 2

    def forward(self, x: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K H W"]:
        """Return score maps with `factor * (input - 1) + kernel` rows and columns."""
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        # An even factor has its centre between two pixels; an odd kernel is on whole positions.
        corners = self.factor % 2 == 0 and self.kernel % 2 == 1
        offset = 1 - self.factor if corners else 0
        size = [self.factor * side + offset for side in x.shape[-2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=corners)
        margin = 1 if corners else (3 * self.factor - self.kernel) // 2
        return x[..., margin:-margin, margin:-margin]

    def extra_repr(self) -> str:
        """Return the settings, for print."""
        return f"factor={self.factor}, kernel={self.kernel}"


@coord_map.register
def _(layer: BilinearUpsample) -> CoordMap:
    return CoordMap(Fraction(layer.factor), Fraction(layer.kernel - 1, 2)).inverse()


@extent.register
def _(layer: BilinearUpsample) -> int:
    return ceil(layer.kernel / layer.factor)


class CornerResize(nn.Module):
    """Resize score maps so their corner pixels coincide with the target's (align_corners=True).

    This is the bilinear interpolation of the Paddle course. The distance between pixels,
    (n - 1) / (m - 1), depends on the sizes, so no crop can align the result: it has the size of the
    map that it is added to. It is exactly aligned only if the centres of the first and last pixels
    coincide. In VGG they are the centres of 32-pixel cells, so scores are up to 15.5 pixels off at
    the image's edges, and exact in its centre.
    """

    def forward(self, x: Float[Tensor, "B K h w"], size: Sides) -> Float[Tensor, "B K H W"]:
        """Return score maps of `size` (height, width)."""
        sides: list[int] = list(size)  # type: ignore[arg-type]
        return F.interpolate(x, sides, mode="bilinear", align_corners=True)


class Unpool(nn.Module):
    """Put each value back to the position that the pooling took it from, with zeros elsewhere.

    Args:
        pool: the pooling to undo.

    Raises:
        GeometryError: its windows overlap, so two values may have the same position.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        window = window_of(pool)
        if (window.stride, window.padding, window.dilation) != (window.kernel, 0, 1):
            raise GeometryError(
                f"max pooling with kernel {window.kernel}, stride {window.stride} and padding "
                f"{window.padding} cannot be undone; expected windows that neither overlap nor "
                "leave gaps, such as MaxPool2d(2)"
            )
        self.window, self.ceil_mode = window.kernel, window.ceil

    def forward(
        self, x: Float[Tensor, "B C h w"], before: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B C H W"]:
        """Spread `x`, one value per window, over a map like `before`, the pooling's input."""
        # Pooling again costs little compared to a convolution, and no backbone has to return
        # indices.
        indices = F.max_pool2d_with_indices(
            before.detach(), [self.window] * 2, ceil_mode=self.ceil_mode
        )[1]
        flat = torch.zeros_like(before).flatten(2)
        return flat.scatter(2, indices.flatten(2), x.flatten(2)).view_as(before)

    def extra_repr(self) -> str:
        """Return the settings, for print."""
        return f"window={self.window}"


def crop(x: Tensor, offset: int, size: Sides, what: str = "score") -> Tensor:
    """Return the crop of `size` (height, width) that starts at row and column `offset` of `x`.

    Slices past the end are silently short in Python; this raises an error instead.

    Raises:
        GeometryError: the crop is not inside of `x`.
    """
    height, width = size
    if offset < 0 or offset + height > x.shape[-2] or offset + width > x.shape[-1]:
        raise GeometryError(
            f"a crop of {height} x {width} at {offset} does not fit into the {what} map of "
            f"{x.shape[-2]} x {x.shape[-1]}"
        )
    return x[..., offset : offset + height, offset : offset + width]
