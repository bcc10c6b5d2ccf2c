"""Predict one image: the class of every pixel, at the image's own size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fullconv.data.sample import default_palette
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.hardware import free_memory
from fullconv.inference.planner import Plan, plan
from fullconv.inference.tiling import stream
from fullconv.io import images, palettes
from fullconv.io.palettes import Palette
from fullconv.units import format_bytes, format_bytes_up, parse_bytes


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for one image.

    Attributes:
        image: the image, RGB in [0, 255].
        score: scores before softmax, at the image's size; None if the image was processed in parts
            and scores were not requested.
        classes: class names.
        palette: one RGB colour per class.
        stored_labels: the labels, if they were computed part by part; see `labels`.
        plan: how the image was processed; None with test-time augmentation.
        disagreement: share of the pixels in overlaps of tiles for which the tiles predict
            different labels, in [0, 1]; None without overlaps.
    """

    image: UInt8[np.ndarray, "H W 3"]
    score: Float[Tensor, "K H W"] | None
    classes: tuple[str, ...]
    palette: Palette
    stored_labels: UInt8[np.ndarray, "H W"] | None = None
    plan: Plan | None = None
    disagreement: float | None = None

    @cached_property
    def labels(self) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel: the largest score, the first of equals."""
        if self.stored_labels is not None:
            return self.stored_labels
        return self._kept_score.argmax(0).to(torch.uint8).numpy()

    @property
    def probabilities(self) -> Float[np.ndarray, "K H W"]:
        """The softmax of the scores, in [0, 1].

        Raises:
            ConfigError: the scores were not kept.
        """
        return self._kept_score.softmax(0).numpy()

    @property
    def note(self) -> str:
        """A sentence for the user about how the image was processed, or ""."""
        if self.plan is None or not self.plan.note:
            return ""
        share = self.disagreement
        overlaps = f"; overlapping tiles disagree at {share:.2%} of their pixels"
        return self.plan.note + ("" if share is None else overlaps)

    @property
    def _kept_score(self) -> Tensor:
        if self.score is None:
            raise ConfigError(
                "the image was processed in parts, and its scores were not kept; "
                "request them: model.predict(image, scores=True)"
            )
        return self.score

    @property
    def areas(self) -> dict[str, float]:
        """Class name -> its share of the image, in [0, 1]."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        return {
            name: float(count / self.labels.size)
            for name, count in zip(self.classes, counts, strict=True)
        }

    def overlay(
        self, strength: float = 0.5, legend: bool = True
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """Return the image with the classes' colours, above a legend of the classes that occur.

        `strength` is the opacity of the colours, in [0, 1].
        """
        picture = palettes.overlay(self.image, self.labels, self.palette, strength)
        if not legend:
            return picture
        present = np.unique(self.labels)
        strip = images.legend(
            [self.classes[label] for label in present],
            [self.palette[label] for label in present],
            picture.shape[1],
        )
        return np.concatenate([picture, strip])

    def save(self, path: str | Path) -> None:
        """Write the labels as an indexed PNG, whose pixel values are classes."""
        images.write_labels(Path(path), self.labels, self.palette)


@torch.inference_mode()
def predict(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    classes: Sequence[str],
    palette: Palette | None = None,
    size: tuple[int, int] | None = None,
    *,
    memory: int | str | None = None,
    scores: bool = False,
) -> Prediction:
    """Predict one image; `Model.predict` is the same with a model's settings.

    An image that does not fit the memory is processed in parts, with the same result.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode.
        image: RGB in [0, 255].
        classes: class names.
        palette: one RGB colour per class; None for the default palette.
        size: (height, width) that larger images are downscaled to fit; the scores are resized back
            to the image's own size before the argmax. None for no limit.
        memory: limit for the computation in bytes or as "2GiB", besides the network itself; None
            for half of the free memory.
        scores: keep the scores even if the image is processed in parts.

    Raises:
        MemoryBudgetError: `memory` is too small.
    """
    scaled = images.scale_image(image, images.fit_size(image.shape, size))
    shape, input_size = (image.shape[0], image.shape[1]), (scaled.shape[0], scaled.shape[1])
    planned = plan(network, input_size, memory, answer=shape)
    keep = scores or planned.kind == "whole"
    labels = np.empty(shape, np.uint8)
    score: Tensor | None = None
    seam = (0, 0)
    for part in stream(network, lambda window: scaled[window.slices], planned, scores=keep):
        labels[part.window.slices] = part.labels
        seam = part.seam
        if part.score is not None and part.score.shape[1:] == shape:
            score = part.score
        elif part.score is not None:
            score = score if score is not None else _empty_score(len(part.score), shape, memory)
            score[:, *part.window.slices] = part.score
    return Prediction(
        image,
        score,
        tuple(classes),
        tuple(palette or default_palette(classes)),
        labels,
        planned,
        seam[1] / seam[0] if seam[0] else None,
    )


def _empty_score(classes: int, shape: tuple[int, int], memory: int | str | None) -> Tensor:
    """Allocate the scores of an image that is processed in parts."""
    need = 4 * classes * shape[0] * shape[1]
    budget = free_memory() if memory is None else parse_bytes(memory)
    if need > budget:
        raise MemoryBudgetError(
            f"the scores of {classes} classes at {shape[0]} x {shape[1]} pixels take "
            f"{format_bytes_up(need)}; there is memory for {format_bytes(budget)}: ask for the "
            "labels only, or give more memory"
        )
    return torch.empty(classes, *shape)


def read_source(source: Any) -> UInt8[np.ndarray, "H W 3"]:
    """Return an RGB image from a path, an RGB or grey array, or a PIL image.

    Raises:
        ImageError: the source is none of these, cannot be read, or is not 8-bit grey or colour.
    """
    if isinstance(source, str | Path):
        return images.read_image(Path(source))
    if isinstance(source, np.ndarray):
        return images.rgb_from_array(source)
    return images.rgb_from_pil(source)
