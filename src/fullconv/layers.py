"""Layers that PyTorch does not have: chains of named layers, checked crops, bilinear upsampling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.geometry import Field


@dataclass(frozen=True)
class Tap:
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

    def taps(self) -> dict[str, Tap]:
        """Width and receptive field of each feature."""

    def skip(self, stride: int) -> str | None:
        """The feature to fuse at `stride`, or None."""


class Chain(nn.Module):
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

    def taps(self) -> dict[str, Tap]:
        """Width and receptive field of every layer's output, in their order."""
        found: dict[str, Tap] = {}
        width, field = 3, Field()
        for name, layer in self.named_children():
            width = getattr(layer, "out_channels", width)
            field = field.through(layer)
            found[name] = Tap(width, field)
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


class Normalise(nn.Module):
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
        """Normalised image, of the same shape."""
        x = (image - self.mean) / self.std
        return x.flip(1) if self.order == "bgr" else x


def bilinear_kernel(size: int) -> Float[Tensor, "size size"]:
    """Weights of bilinear interpolation, as Caffe's filler makes them.

    A kernel of size 2f (or 2f - 1) enlarges by the factor f (paper, section 3.3).
    """
    factor = (size + 1) // 2
    tent = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return torch.outer(tent, tent)


class Upscore(nn.ConvTranspose2d):
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


def crop(x: Tensor, offset: int, size: Sequence[int], what: str = "score") -> Tensor:
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
