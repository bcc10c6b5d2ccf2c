"""A photo's answer: the class of every pixel, at the photo's own size."""

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
from fullconv.errors import ConfigError, ImageError, MemoryBudgetError
from fullconv.hardware import free_memory
from fullconv.inference.planner import Plan, plan
from fullconv.inference.tiling import stream
from fullconv.io import images, palettes
from fullconv.io.palettes import Palette
from fullconv.units import format_bytes, format_bytes_up, parse_bytes


@dataclass(frozen=True)
class Prediction:
    """What a model says about one photo.

    Attributes:
        image: the photo, RGB in [0, 255].
        score: of every class at every pixel, before softmax, at the photo's size; None where the
            photo was answered in parts and nobody asked for scores.
        classes: their names.
        palette: one colour a class.
        found: the labels, where they were taken from the scores part by part.
        plan: how the photo was answered; `plan.note` is what the user should know about it.
        disagreement: share of the pixels answered by two overlapping tiles to which these gave
            different labels, in [0, 1]; None where nothing overlaps.
    """

    image: UInt8[np.ndarray, "H W 3"]
    score: Float[Tensor, "K H W"] | None
    classes: tuple[str, ...]
    palette: Palette
    found: UInt8[np.ndarray, "H W"] | None = None
    plan: Plan | None = None
    disagreement: float | None = None

    @cached_property
    def labels(self) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel: the one with the largest score, the first of equals."""
        if self.found is not None:
            return self.found
        return self._kept_score.argmax(0).to(torch.uint8).numpy()

    @property
    def probabilities(self) -> Float[np.ndarray, "K H W"]:
        """The scores after softmax: in [0, 1], one in sum at every pixel.

        Raises:
            ConfigError: the scores were not kept.
        """
        return self._kept_score.softmax(0).numpy()

    @property
    def note(self) -> str:
        """What the user should know about how the photo was answered; "" where nothing is."""
        if self.plan is None or not self.plan.note:
            return ""
        seam = self.disagreement
        told = "" if seam is None else f"; overlapping tiles disagree at {seam:.2%} of their pixels"
        return self.plan.note + told

    @property
    def _kept_score(self) -> Tensor:
        if self.score is None:
            raise ConfigError(
                "this photo was answered in parts, whose scores were not kept; "
                "ask for them: model.predict(photo, scores=True)"
            )
        return self.score

    @property
    def areas(self) -> dict[str, float]:
        """Class name -> its share of the photo, in [0, 1]."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        return {
            name: float(count / self.labels.size)
            for name, count in zip(self.classes, counts, strict=True)
        }

    def overlay(
        self, strength: float = 0.5, legend: bool = True
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """The answer's colours over the photo, and below it a legend of the classes that occur."""
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
        """Write the labels as an indexed PNG: pixel values are classes, shown in their colours."""
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
    """The network's answer to one whole photo.

    A photo that does not fit into the memory is answered in parts, with the same result.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode.
        image: the photo.
        classes: their names.
        palette: one colour a class.
        size: the (height, width) that photos were scaled down to fit in training; the scores are
            scaled back to the photo's own size before the best is taken.
        memory: what the computation may take beside the network, in bytes or as "2GiB"; None is
            half of what is free.
        scores: keep the scores also of a photo that is answered in parts.

    Raises:
        MemoryBudgetError: the memory is less than the smallest part takes.
    """
    photo = images.scale_image(image, images.fit_size(image.shape, size))
    shape, shown = (image.shape[0], image.shape[1]), (photo.shape[0], photo.shape[1])
    planned = plan(network, shown, memory, answer=shape)
    keep = scores or planned.kind == "whole"
    labels = np.empty(shape, np.uint8)
    score: Tensor | None = None
    seam = (0, 0)
    for part in stream(network, lambda window: photo[window.slices], planned, scores=keep):
        labels[part.window.slices] = part.labels
        seam = part.seam
        if part.score is not None and part.score.shape[1:] == shape:
            score = part.score
        elif part.score is not None:
            score = score if score is not None else _room(len(part.score), shape, memory)
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


def _room(classes: int, shape: tuple[int, int], memory: int | str | None) -> Tensor:
    """Memory for the scores of a photo that is answered in parts."""
    need = 4 * classes * shape[0] * shape[1]
    budget = free_memory() if memory is None else parse_bytes(memory)
    if need > budget:
        raise MemoryBudgetError(
            f"the scores of {classes} classes at {shape[0]} x {shape[1]} pixels take "
            f"{format_bytes_up(need)}; there is memory for {format_bytes(budget)}: ask for the "
            "labels only, or give more memory"
        )
    return torch.empty(classes, *shape)


def as_image(source: Any) -> UInt8[np.ndarray, "H W 3"]:
    """A photo from a path, an RGB or grey array, or a PIL image.

    Raises:
        ImageError: it is none of them.
    """
    if isinstance(source, str | Path):
        return images.read_image(Path(source))
    if isinstance(source, np.ndarray):
        array = np.repeat(source[..., None], 3, 2) if source.ndim == 2 else source
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            raise ImageError(
                f"an array of shape {source.shape} and type {source.dtype}; expected RGB, "
                "(height, width, 3) of uint8"
            )
        return array
    if hasattr(source, "convert"):
        return images.rgb_from_pil(source)
    raise ImageError(
        f"a {type(source).__name__} is no photo; expected a path, an array or a PIL image"
    )
