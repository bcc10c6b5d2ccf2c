"""Open exported files and run them: one file per runtime."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Size
from fullconv.errors import ConfigError, ImageError, WeightsError
from fullconv.inference.runtimes.description import Description

KEY = "fullconv"  # under which a file keeps its description
Run = Callable[[Float[np.ndarray, "B 3 H W"]], Float[np.ndarray, "B K H W"]]


@dataclass(frozen=True)
class Opened:
    """An exported file, ready to run.

    Attributes:
        run: images (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W); from any thread.
        description: the JSON that was written into it, or None.
    """

    run: Run
    description: str | None


def first_line(error: Exception) -> str:
    """The beginning of another library's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


INPUT, OUTPUT = "image", "score"


@contextmanager
def quiet() -> Iterator[None]:
    """Other libraries' warnings and advice about themselves are nobody's here meanwhile."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


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
