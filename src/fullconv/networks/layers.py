"""Layers that PyTorch does not have: chains of named layers, checked crops, ways to enlarge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field, coord_map, extent, rows

Sides = Sequence[int | torch.SymInt]  # (height, width); symbols while a network is exported


@dataclass(frozen=True)
class FeatureInfo:
    """A feature that a backbone offers: how many maps it has, and what each pixel sees."""

    width: int
    field: Field


@runtime_checkable
class Backbone(Protocol):
    """A dense classifier without its scores, as the network uses it."""

    @property
    def top(self) -> str:
        """The feature that the coarsest scores are computed from."""

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The features called `names` of an image."""

    def taps(self) -> dict[str, FeatureInfo]:
        """Width and receptive field of each feature."""

    def skip(self, stride: int) -> str | None:
        """The feature to fuse at `stride`, or None."""


class NamedSequential(nn.Module):
    """Named layers, one after the other; every one's output can be had by its name."""

    def __init__(self, layers: Iterable[tuple[str, nn.Module]] = ()) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's output."""
        for layer in self.children():
            x = layer(x)
        return x

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the layers called `names`; nothing behind the last of them is computed."""
        wanted = set(names)
        found: dict[str, Tensor] = {}
        for name, layer in self.named_children():
            if len(found) == len(wanted):
                break
            x = layer(x)
            if name in wanted:
                found[name] = x
        return found

    def taps(self) -> dict[str, FeatureInfo]:
        """Width and receptive field of every layer's output, in their order."""
        found: dict[str, FeatureInfo] = {}
        width, field = 3, Field()
        for name, layer in self.named_children():
            width = getattr(layer, "out_channels", width)
            field = field.through(layer)
            found[name] = FeatureInfo(width, field)
        return found

    @property
    def top(self) -> str:
        """Name of the last layer."""
        return list(self._modules)[-1]

    def skip(self, stride: int) -> str | None:
        """The pooling that reaches `stride`, or None: pool4 for 16 in VGG."""
        for name, tap in self.taps().items():
            if tap.field.stride == stride and isinstance(self._modules[name], nn.MaxPool2d):
                return name
        return None


class Context(NamedSequential):
    """A 3x3 convolution, batch norm and ReLU: what is around a pixel, before it is scored.

    Args:
        maps: of the features.
        width: of the result, which is as high and wide as the features.
    """

    def __init__(self, maps: int, width: int) -> None:
        conv = nn.Conv2d(maps, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        super().__init__([("conv", conv), ("bn", nn.BatchNorm2d(width)), ("relu", nn.ReLU())])

    def after(self, tap: FeatureInfo) -> FeatureInfo:
        """The width and field of what it makes of a feature."""
        field = tap.field
        for layer in self.children():
            field = field.through(layer)
        return FeatureInfo(self.get_submodule("conv").out_channels, field)  # type: ignore[arg-type]


class Normalize(nn.Module):
    """RGB in [0, 255] -> what the first convolution was trained on: `(x - mean) / std`, in `order`.

    Part of the network, so that a data set, an export or a server cannot disagree with training.
    The numbers are settings, kept in a model file's header, not weights.

    Args:
        mean: in [0, 255], in RGB order.
        std: likewise.
        order: the channel order that the first convolution sees, "rgb" or "bgr".
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
        """Normalized image, of the same shape."""
        x = (image - self.mean) / self.std
        return x.flip(1) if self.order == "bgr" else x


def bilinear_kernel(size: int) -> Float[Tensor, "size size"]:
    """Weights of bilinear interpolation, as Caffe's filler makes them.

    A kernel of size 2f (or 2f - 1) enlarges by the factor f (paper, section 3.3).
    """
    factor = (size + 1) // 2
    tent = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return torch.outer(tent, tent)


class TransposedUpsample(nn.ConvTranspose2d):
    """Enlarges score maps by a factor; starts as bilinear interpolation (paper, section 3.3).

    Nothing is cut off: the output is `factor * (input - 1) + kernel` pixels high and wide, and the
    network crops it. Weights are (classes, classes, kernel, kernel), as in Caffe's Deconvolution.

    Args:
        classes: score maps in and out.
        factor: how much larger.
        kernel: 2 * factor, or one less where only that puts the pixels on whole positions.
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
    """Enlarges score maps by a factor, by bilinear interpolation; it has nothing to learn.

    Its pixels are those of an `TransposedUpsample` of this kernel, so both are cropped alike.
    Beyond the
    centres of the outermost pixels it repeats them, where the transposed convolution fades to zero.

    Args:
        factor: how much larger.
        kernel: of the `TransposedUpsample` it stands for. 2 * factor, for an even factor, puts
        the pixels on
            half positions of the input: PyTorch's align_corners=False. 2 * factor - 1 puts them on
            whole positions: align_corners=True, at the one size at which its scale is 1 / factor.
    """

    def __init__(self, factor: int, kernel: int | None = None) -> None:
        super().__init__()
        self.factor = factor
        self.kernel = kernel or 2 * factor - factor % 2

    def forward(self, x: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K H W"]:
        """`factor * (input - 1) + kernel` pixels high and wide."""
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        # An even factor has its middle between two pixels, so an odd kernel is on whole positions.
        corners = self.factor % 2 == 0 and self.kernel % 2 == 1
        whole = 1 - self.factor if corners else 0
        size = [self.factor * side + whole for side in x.shape[-2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=corners)
        margin = 1 if corners else (3 * self.factor - self.kernel) // 2
        return x[..., margin:-margin, margin:-margin]

    def extra_repr(self) -> str:
        """The settings, for print."""
        return f"factor={self.factor}, kernel={self.kernel}"


@coord_map.register
def _(layer: BilinearUpsample) -> CoordMap:
    return CoordMap(Fraction(layer.factor), Fraction(layer.kernel - 1, 2)).inverse()


@extent.register
def _(layer: BilinearUpsample) -> int:
    return ceil(layer.kernel / layer.factor)


class CornerResize(nn.Module):
    """Resizes score maps so that their corner pixels meet the corners (align_corners=True).

    Bilinear interpolation as the course's code calls it. The distance between the pixels,
    (n - 1) / (m - 1), depends on the sizes, so no crop can follow: the result has the size of
    whatever it is laid on. It lies exactly on it where the first and the last pixels' centres do;
    where they are the middles of 32-pixel cells, as in VGG, the scores are up to 15.5 pixels off at
    the image's edges and right in its middle.
    """

    def forward(self, x: Float[Tensor, "B K h w"], size: Sides) -> Float[Tensor, "B K H W"]:
        """Score maps of `size` (height, width)."""
        sides: list[int] = list(size)  # type: ignore[arg-type]
        return F.interpolate(x, sides, mode="bilinear", align_corners=True)


class Unpool(nn.Module):
    """Puts each value back where the pooling took it from, and zeros elsewhere.

    Args:
        pool: the pooling to undo; its windows do not overlap.

    Raises:
        GeometryError: they do, so that two values may want one place.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.window, stride, padding, dilation = rows(pool)
        if (stride, padding, dilation) != (self.window, 0, 1):
            raise GeometryError(
                f"a pooling of {self.window} x {self.window} windows every {stride} pixels, padded "
                f"by {padding}, cannot be undone: its windows have to lie side by side"
            )
        self.ceil_mode = pool.ceil_mode

    def forward(
        self, x: Float[Tensor, "B C h w"], before: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B C H W"]:
        """`x`, one value a window, spread over a map like `before`, the pooling's input."""
        # Asking the pooling once more costs little beside a convolution, and so every backbone
        # that has poolings gives indices, without a second way through it.
        indices = F.max_pool2d_with_indices(
            before.detach(), [self.window] * 2, ceil_mode=self.ceil_mode
        )[1]
        flat = torch.zeros_like(before).flatten(2)
        return flat.scatter(2, indices.flatten(2), x.flatten(2)).view_as(before)

    def extra_repr(self) -> str:
        """The settings, for print."""
        return f"window={self.window}"


def crop(x: Tensor, offset: int, size: Sides, what: str = "score") -> Tensor:
    """The window of `size` (height, width) that begins `offset` rows and columns into `x`.

    Python's slices that reach past the end are silently short; this is a check.

    Raises:
        GeometryError: the window does not lie inside `x`.
    """
    height, width = size
    if offset < 0 or offset + height > x.shape[-2] or offset + width > x.shape[-1]:
        raise GeometryError(
            f"a crop of {height} x {width} at {offset} does not fit into the {what} map of "
            f"{x.shape[-2]} x {x.shape[-1]}"
        )
    return x[..., offset : offset + height, offset : offset + width]
