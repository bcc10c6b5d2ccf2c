"""An exported file as a network."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Architecture, Normalization, Size
from fullconv.errors import FullconvError, ImageError, WeightsError
from fullconv.inference.runtimes import Run, runtime_for, runtimes
from fullconv.inference.runtimes.description import Description
from fullconv.io.text import parse_json
from fullconv.networks.fcn import build
from fullconv.networks.fcn.uninitialized import SkipInitialization


class ExportedNetwork(nn.Module):
    """A network whose scores another runtime computes from an exported file.

    Attributes:
        path: the file.
        run: images (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W).
        description: the file's metadata.
        min_size: smallest supported (height, width).
        fixed_size: the only supported (height, width), one image per call; None for any size.
    """

    def __init__(self, path: Path, run: Run, description: Description) -> None:
        super().__init__()
        self.path, self.run, self.description = path, run, description
        self.classes = len(description.classes)
        self.min_size: Size = description.least
        self.fixed_size: Size | None = description.fixed
        # `next(network.parameters())` gives the device of the input: runtimes take CPU memory.
        self.device_marker = nn.Parameter(torch.empty(0), requires_grad=False)

    @property
    def architecture(self) -> Architecture | None:
        """The architecture of the network that was exported."""
        return self.description.architecture

    @property
    def normalization(self) -> Normalization:
        """The normalization inside the exported graph."""
        return self.description.normalization

    @property
    def runtime_name(self) -> str:
        """The name of the runtime that computes it, which follows from the file's suffix."""
        runtime = runtime_for(self.path)
        return next(name for name in runtimes if runtimes[name] is runtime)

    def takes_planes(self, size: tuple[int, ...]) -> bool:
        """Return whether its input is one plane per channel: always."""
        return True

    @property
    def opaque(self) -> str:
        """Why no part of its work can be recorded, as a verb phrase for messages."""
        return "runs outside of PyTorch, in a runtime that computes whole images only"

    def exported_from(self) -> nn.Module | None:
        """Return layers like those that were exported, with any weights; None if not known."""
        if self.architecture is None:
            return None
        try:
            with SkipInitialization():
                return build(self.architecture, self.normalization).eval()
        # The description is of a network that is unknown, or too large, on this machine.
        except (FullconvError, ArithmeticError, MemoryError, RuntimeError):
            return None

    def __deepcopy__(self, memo: dict[int, Any]) -> "ExportedNetwork":
        return ExportedNetwork(self.path, self.run, self.description)  # `run` is thread-safe

    def __reduce__(self) -> tuple[Any, ...]:
        return open_exported, (self.path.absolute(),)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        """Return the scores before softmax, at the image's size.

        Raises:
            ImageError: the image is smaller than `min_size`, or not of `fixed_size`.
        """
        height, width = image.shape[-2:]
        if height < self.min_size[0] or width < self.min_size[1]:
            raise ImageError(
                f"an image of {height} x {width} pixels",
                expected=f"at least {self.min_size[0]} x {self.min_size[1]} for this exported file",
                remedy="use the model that it was exported from",
            )
        if self.fixed_size and (height, width) != self.fixed_size:
            raise ImageError(
                f"an image of {height} x {width} pixels",
                expected=f"{self.fixed_size[0]} x {self.fixed_size[1]}, the only size that this "
                "file was exported for",
                remedy="export the model without --size to support any size",
            )
        batch = image.float().cpu().contiguous()
        if len(batch) == 1 or not self.fixed_size:
            return torch.from_numpy(self.run(batch.numpy()))
        return torch.cat([torch.from_numpy(self.run(one[None].numpy())) for one in batch])


def open_exported(path: Path) -> ExportedNetwork:
    """Open a file that `fullconv export` wrote.

    Raises:
        ConfigError: no runtime has this suffix.
        WeightsError: the file is missing or damaged, or has no description.
        MissingExtraError: the runtime is not installed.
    """
    opened = runtime_for(path).open(path)
    return ExportedNetwork(path, opened.run, _parse_description(path, opened.description))


def _parse_description(path: Path, text: str | None) -> Description:
    if text is None:
        raise WeightsError(
            f"{path} has no description of its classes; expected a file that `fullconv export` "
            "wrote"
        )
    try:
        values: Any = parse_json(text)
        return Description.checked(**values)
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error
