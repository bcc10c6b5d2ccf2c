"""Exported files as models: they predict and are evaluated like the model they come from."""

import json
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Size
from fullconv.errors import ConfigError, ImageError, WeightsError
from fullconv.exporters import Description, Run, exporter_for, exporters
from fullconv.fcn import FCN
from fullconv.model import Model, load


class Exported(Model):
    """A model whose network is an exported file; its answers are that file's.

    Attributes:
        path: the file.
        description: what stands in it.
    """

    def __init__(self, path: Path, run: Run, description: Description) -> None:
        self.path = path
        self.description = description
        # Everything that a model is asked for while it answers, a runner can do.
        self.network = cast(
            FCN, Runner(run, len(description.classes), description.least, description.fixed)
        )
        self.classes = description.classes
        self.palette = description.palette
        self.size = description.size

    @property
    def protocol(self) -> str:
        """What any number measured with this file means."""
        precision = self.description.precision
        return super().protocol + ("" if precision == "fp32" else f"; computed in {precision}")

    def save(self, path: str | Path) -> None:
        """An exported file holds no weights that could be trained or saved again.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.path} is an exported file; save the model that it came from")


def open_model(path: str | Path) -> Model:
    """The model that a run folder, a .safetensors file or an exported file means.

    Raises:
        WeightsError: there is none, or it is damaged.
        MissingExtraError: what runs the exported file is not installed.
    """
    path = Path(path)
    return open_exported(path) if is_exported(path) else load(path)


def open_exported(path: Path) -> Exported:
    """What `fullconv export` wrote.

    Raises:
        WeightsError: it did not write this file, or the file is damaged.
        MissingExtraError: what runs the file is not installed.
    """
    opened = exporter_for(path).open(path)
    return Exported(path, opened.run, _description(path, opened.description))


def is_exported(path: Path) -> bool:
    """Whether a file's name says that it was exported."""
    suffixes = {exporters[name].suffix for name in exporters}
    return path.suffix.lower() in suffixes and not path.is_dir()


class Runner(nn.Module):
    """An exported file as a network: images in, scores out, nothing to learn.

    Args:
        run: what the file's exporter gave.
        classes: scores a pixel gets.
        least: (height, width) of the smallest image that it answers.
        fixed: of all images, where it answers no other size.
    """

    def __init__(
        self, run: Run, classes: int, least: Size = (1, 1), fixed: Size | None = None
    ) -> None:
        super().__init__()
        self.run = run
        self.classes = classes
        self.least, self.fixed = least, fixed
        # Says where images are handed over: engines take them from the processor's memory.
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        """Scores before softmax, of the image's size.

        Raises:
            ImageError: the image is smaller than `least`, or not of the size `fixed`.
        """
        height, width = image.shape[-2:]
        if height < self.least[0] or width < self.least[1]:
            raise ImageError(
                f"an image of {height} x {width} pixels; this exported file answers images from "
                f"{self.least[0]} x {self.least[1]} on: use the model that it came from"
            )
        if self.fixed and (height, width) != self.fixed:
            raise ImageError(
                f"an image of {height} x {width} pixels; this file was exported for "
                f"{self.fixed[0]} x {self.fixed[1]} only: export it without --size for any size"
            )
        batch = image.float().cpu()
        parts = [one[None] for one in batch] if self.fixed else [batch]
        return torch.cat([torch.from_numpy(self.run(part.numpy())) for part in parts])


def _description(path: Path, text: str | None) -> Description:
    if text is None:
        raise WeightsError(
            f"{path}: a network without a description of its classes; expected a file that "
            "`fullconv export` wrote"
        )
    try:
        values: Any = json.loads(text)
        return Description.checked(**values)
    except (ConfigError, json.JSONDecodeError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error
