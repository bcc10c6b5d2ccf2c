"""Predict one image: the class of every pixel, at the image's own size."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from fullconv.config import RGB, Head
from fullconv.data.sample import default_palette
from fullconv.errors import ConfigError
from fullconv.inference.heap import free_heap
from fullconv.inference.planner import Plan, plan
from fullconv.inference.score_labels import score_labels
from fullconv.inference.stopping import Stop, check_stop, never
from fullconv.inference.tiling import stream
from fullconv.io import images, palettes
from fullconv.io.palettes import VOID, Palette, row_blocks
from fullconv.io.window import Window


@dataclass(frozen=True, repr=False)
class Prediction:
    """A model's prediction for one image.

    Attributes:
        image: the photo, RGB in [0, 255], without channels of other inputs.
        score: scores before softmax, at the image's size; None if the image was processed in parts
            and scores were not requested.
        classes: class names.
        palette: one RGB colour per class.
        stored_labels: the labels, if they were computed part by part; see `labels`.
        plan: how the image was processed; None with test-time augmentation.
        heads: the prediction of each of several heads by its name, the first of which is this one;
            {} for one head.
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
    heads: Mapping[str, "Prediction"] = field(default_factory=dict)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        shares = sorted(self.areas.items(), key=lambda item: -item[1])
        shown = [f"{name} {share:.1%}" for name, share in shares if share][:5]
        return f"Prediction({height} x {width}: {', '.join(shown)})"

    @cached_property
    def labels(self) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel: the largest score, the first of equals.

        255 where a raster has no data (nodata value, mask, alpha band), as `fullconv predict`
        writes it; such pixels have no class.
        """
        if self.stored_labels is not None:
            return self.stored_labels
        return score_labels(self._kept_score)

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
        if self.disagreement is None:
            return self.plan.note
        share = f"{self.disagreement:.2%} of their pixels"
        return f"{self.plan.note}; overlapping tiles disagree at {share}"

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
        """Class name -> its share of the pixels that have a class, in [0, 1]."""
        total = max(1, sum(self.pixels))
        return {name: count / total for name, count in zip(self.classes, self.pixels, strict=True)}

    @cached_property
    def pixels(self) -> tuple[int, ...]:
        """The number of pixels of each class, in the order of the classes."""
        counts = np.zeros(256, np.int64)
        for rows in row_blocks(self.labels):  # NumPy counts in 64-bit copies
            counts += np.bincount(rows.ravel(), minlength=256)
        return tuple(counts[: len(self.classes)].tolist())

    def without_scores(self) -> "Prediction":
        """Return the prediction without its scores, which take most of its memory."""
        heads = {name: head.without_scores() for name, head in self.heads.items()}
        return replace(self, stored_labels=self.labels, score=None, heads=heads)

    def without(self, missing: Bool[np.ndarray, "H W"]) -> "Prediction":
        """Return the prediction with label 255 where a raster has no data."""
        if not missing.any():
            return self
        heads = {name: head.without(missing) for name, head in self.heads.items()}
        labels = np.where(missing, np.uint8(VOID), self.labels)
        return replace(self, stored_labels=labels, heads=heads)

    def overlay(
        self, strength: float = 0.5, legend: bool = True
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """Return the image with the classes' colours, above a legend of the classes that occur.

        `strength` is the opacity of the colours, in [0, 1].
        """
        picture = palettes.overlay(self.image, self.labels, self.palette, strength)
        if not legend:
            return picture
        present = np.unique(self.labels[self.labels != VOID])
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
    image: UInt8[np.ndarray, "H W C"],
    classes: Sequence[str],
    palette: Palette | None = None,
    size: tuple[int, int] | None = None,
    *,
    input_scale: float = 1.0,
    memory: int | str | None = None,
    scores: bool = False,
    held: int = 0,
    stop: Stop = never,
    heads: Sequence[Head] = (),
) -> Prediction:
    """Predict one image; `Model.predict` is the same with a model's settings.

    An image that does not fit the memory is processed in parts, with the same result.

    Args:
        network: (B, C, H, W) in [0, 255] -> scores; in evaluation mode.
        image: in [0, 255]: red, green, blue, then the network's other channels, if any.
        classes: class names.
        palette: one RGB colour per class; None for the default palette.
        size: (height, width) that larger images are downscaled to fit; the scores are resized back
            to the image's own size (bilinear, corners not aligned) before the argmax. None for no
            limit.
        input_scale: factor that images are scaled by, after `size`; the scores likewise.
        memory: limit in bytes or as "2GiB" for the computation and its results, besides the network
            itself; None for half of the free memory.
        scores: keep the scores even if the image is processed in parts.
        held: bytes within `memory` that the caller holds meanwhile.
        stop: asked before each part.
        heads: see `Model`; the prediction is that of the first, and `Prediction.heads` has all.

    Raises:
        MemoryBudgetError: `memory` is too small.
        StoppedError: `stop` returned True.
    """
    free_heap(image.shape)
    scaled = images.scale_image(image, images.fit_size(image.shape, size, input_scale))
    shape = (image.shape[0], image.shape[1])
    sizing = size, input_scale
    bands = image.shape[2]
    planned = plan_prediction(
        network, shape, *sizing, memory, scores=scores, held=held, bands=bands
    )
    keep = scores or planned.kind == "whole"
    labels = np.empty((max(1, len(heads)), *shape), np.uint8)
    score: Tensor | None = None
    seam = (0, 0)

    def read(window: Window) -> UInt8[np.ndarray, "rows columns C"]:
        check_stop(stop)
        return scaled[window.slices]

    for part in stream(network, read, planned, scores=keep or bool(heads)):
        if heads and part.score is not None:
            for layer, scores_of_head in zip(labels, _split(part.score, heads), strict=True):
                layer[part.window.slices] = score_labels(scores_of_head)
        else:
            labels[0][part.window.slices] = part.labels
        seam = part.seam
        if not keep:
            continue
        if part.score is not None and part.score.shape[1:] == shape:
            score = part.score
        elif part.score is not None:
            score = score if score is not None else torch.empty(len(part.score), *shape)
            score[:, *part.window.slices] = part.score
    found = Prediction(
        photo_of(image),
        score,
        tuple(classes),
        tuple(palette or default_palette(classes)),
        labels[0],
        planned,
        seam[1] / seam[0] if seam[0] else None,
    )
    return _with_heads(found, heads, labels) if heads else found


def _split(score: Float[Tensor, "K H W"], heads: Sequence[Head]) -> tuple[Tensor, ...]:
    """Return the scores of each head."""
    parts: tuple[Tensor, ...] = torch.split(score, [len(head.classes) for head in heads])
    return parts


def _with_heads(
    whole: Prediction, heads: Sequence[Head], labels: UInt8[np.ndarray, "N H W"]
) -> Prediction:
    """Return the prediction of the first head, with those of all heads."""
    scores = [None] * len(heads) if whole.score is None else _split(whole.score, heads)
    parts = {
        head.name: replace(
            whole, score=score, classes=head.classes, palette=head.palette, stored_labels=layer
        )
        for head, score, layer in zip(heads, scores, labels, strict=True)
    }
    return replace(parts[heads[0].name], heads=parts)


def photo_of(image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return red, green and blue of an image."""
    return image if image.shape[2] == RGB else np.ascontiguousarray(image[..., :RGB])


def plan_prediction(
    network: nn.Module,
    shape: tuple[int, int],
    size: tuple[int, int] | None = None,
    input_scale: float = 1.0,
    memory: int | str | None = None,
    *,
    scores: bool = False,
    held: int = 0,
    bands: int = RGB,
) -> Plan:
    """Plan what `predict` does with an image of `shape` (height, width) and `bands` channels.

    See `predict` for the other arguments.

    Raises:
        MemoryBudgetError: `memory` is too small.
    """
    input_size = images.fit_size(shape, size, input_scale)
    held += prod(shape)  # the labels
    if input_size != shape:
        held += (4 + bands) * prod(input_size)  # Pillow's copy, and the array
    return plan(network, input_size, memory, resized=shape, bands=bands, held=held, scores=scores)


def _compute_with_one_thread() -> None:
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # The other threads of PyTorch's pool do not exist in a forked process, which would wait for
    # them for ever.
    os.register_at_fork(after_in_child=_compute_with_one_thread)
