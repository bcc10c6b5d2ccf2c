"""An exported file that is ready to predict; PyTorch is not needed for that."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from fullconv.config import Normalization, Size
from fullconv.errors import ImageError, WeightsError
from fullconv.inference.plan import Plan
from fullconv.inference.runtimes import Run, explained_crash, runtime_for, runtimes
from fullconv.inference.runtimes.description import Description
from fullconv.inference.score_resizing import resize_scores
from fullconv.io.text import parse_json


class ExportedFile:
    """A file whose scores a runtime computes.

    Args:
        path: the file.
        run: images (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W).
        description: the file's metadata.

    Attributes:
        path: the file.
        description: the file's metadata.
        min_size: smallest supported (height, width).
        fixed_size: the only supported (height, width), one image per call; None for any size.
        network: the file as a network of PyTorch, once something has asked `exported_network` for
            it.
    """

    def __init__(self, path: Path, run: Run, description: Description) -> None:
        self.path, self.description, self._run = path, description, run
        self.min_size: Size = description.least
        self.fixed_size: Size | None = description.fixed
        self.network: object = None

    def __reduce__(self) -> tuple[Any, ...]:
        return open_exported, (self.path.absolute(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ExportedFile":
        return ExportedFile(self.path, self._run, self.description)  # `run` is thread-safe

    @property
    def classes(self) -> int:
        """Scores per pixel."""
        return len(self.description.classes)

    @property
    def normalization(self) -> Normalization:
        """The normalization inside the exported graph."""
        return self.description.normalization

    @property
    def runtime_name(self) -> str:
        """The name of the runtime that computes it, which follows from the file's suffix."""
        runtime = runtime_for(self.path)
        return next(name for name in runtimes if runtimes[name] is runtime)

    def run(self, images: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        """Return the scores of images, RGB in [0, 255].

        Raises:
            EngineError: the runtime cannot compute them.
            WeightsError: the file does not compute what its description says.
        """
        size = f"an image of {images.shape[2]} x {images.shape[3]} pixels"
        with explained_crash(f"{self.path} cannot compute {size}"):
            scores = self._run(images)
        expected = (len(images), self.classes, *images.shape[2:])
        if scores.shape != expected:
            raise WeightsError(
                f"{self.path} gives scores of the shape {scores.shape} for {size}; expected "
                f"{expected}, as its description says: export the model again"
            )
        return scores

    def check_size(self, height: int, width: int) -> None:
        """Check that it computes images of a size.

        Raises:
            ImageError: the image is smaller than `min_size`, or not of `fixed_size`.
        """
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

    def plan_whole(self, start: Plan, budget: int) -> Plan | None:
        """Return the plan for the whole image; None if that takes more than `budget` bytes.

        None also if the file is of a version that did not write what it takes.
        """
        if start.upper_bound <= budget:
            return replace(start, peak=start.upper_bound)
        if self.description.pixel_bytes is None:
            return None
        taken = start.estimate(self.description.pixel_bytes, self.classes)
        fits = taken <= budget or self.fixed_size is not None
        return replace(start, peak=taken) if fits else None

    def scores(
        self, image: Shaped[np.ndarray, "h w 3"], planned: Plan
    ) -> Float[np.ndarray, "K H W"]:
        """Return the scores of a whole image.

        Args:
            image: RGB in [0, 255].
            planned: from `plan_whole`.

        Raises:
            ImageError: `check_size` refuses its size.
            EngineError, WeightsError: see `run`.
        """
        self.check_size(*image.shape[:2])
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
        return resize_scores(self.run(planes[None])[0], planned.result)


def open_exported(path: Path) -> ExportedFile:
    """Open a file that `fullconv export` wrote.

    Raises:
        ConfigError: no runtime has this suffix.
        WeightsError: the file is missing or damaged, or has no description.
        MissingExtraError: the runtime is not installed.
    """
    opened = runtime_for(path).open(path)
    return ExportedFile(path, opened.run, _parse_description(path, opened.description))


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
