"""An exported file as a network of PyTorch."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Architecture, Normalization, Size
from fullconv.errors import FullconvError
from fullconv.inference.exported_file import ExportedFile
from fullconv.networks.fcn import build
from fullconv.networks.fcn.uninitialized import SkipInitialization
from fullconv.networks.image_tensor import check_images


class ExportedNetwork(nn.Module):
    """A network whose scores another runtime computes from an exported file.

    Attributes:
        file: the exported file.
        classes: scores per pixel.
    """

    def __init__(self, file: ExportedFile) -> None:
        super().__init__()
        self.file = file
        self.classes = file.classes
        # `next(network.parameters())` gives the device of the input: runtimes take CPU memory.
        self.device_marker = nn.Parameter(torch.empty(0), requires_grad=False)

    @property
    def architecture(self) -> Architecture | None:
        """The architecture of the network that was exported."""
        return self.file.description.architecture

    @property
    def normalization(self) -> Normalization:
        """The normalization inside the exported graph."""
        return self.file.normalization

    @property
    def fixed_size(self) -> Size | None:
        """The only supported (height, width), one image per call; None for any size."""
        return self.file.fixed_size

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
        return ExportedNetwork(self.file)  # its `run` is thread-safe

    def __reduce__(self) -> tuple[Any, ...]:
        return ExportedNetwork, (self.file,)

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """Return the scores before softmax, at the image's size.

        Raises:
            ImageError: the image has other channels, is smaller than the file's `min_size`, or not
                of its `fixed_size`.
            EngineError, WeightsError: see `ExportedFile.run`.
        """
        check_images(image, len(self.normalization.mean), image.dtype)
        self.file.check_size(*image.shape[-2:])
        batch, run = image.float().cpu().contiguous(), self.file.run
        if len(batch) == 1 or not self.fixed_size:
            return torch.from_numpy(run(batch.numpy()))
        return torch.cat([torch.from_numpy(run(one[None].numpy())) for one in batch])


def exported_network(file: ExportedFile) -> ExportedNetwork:
    """Return the network of an exported file, always the same one."""
    if file.network is None:
        file.network = ExportedNetwork(file)
    return cast(ExportedNetwork, file.network)
