"""The prediction of one image: a class for every pixel, and the scores if they were kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8

from fullconv.config import RGB
from fullconv.errors import ConfigError
from fullconv.inference.plan import Plan
from fullconv.inference.score_labels import largest_scores
from fullconv.io import images, palettes
from fullconv.io.atomic import check_suffix
from fullconv.io.palettes import VOID, Palette, row_blocks

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no truth value to compare by
class Prediction:
    """A model's prediction for one image.

    Attributes:
        image: the photo, RGB in [0, 255], without channels of other inputs.
        score_array: scores before softmax, at the image's size; None if the image was processed in
            parts and scores were not requested.
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
    score_array: Float[np.ndarray, "K H W"] | None
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
        return largest_scores(self._kept_score)

    @property
    def score(self) -> "torch.Tensor | None":
        """The scores as a tensor of PyTorch, which shares their memory."""
        if self.score_array is None:
            return None
        import torch  # here alone: exported files are computed without it

        return torch.from_numpy(self.score_array)

    @property
    def probabilities(self) -> Float[np.ndarray, "K H W"]:
        """The softmax of the scores, in [0, 1].

        Raises:
            ConfigError: the scores were not kept.
        """
        found: np.ndarray = self._kept_score - self._kept_score.max(0)
        np.exp(found, out=found)
        found /= found.sum(0)
        return found

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
    def _kept_score(self) -> Float[np.ndarray, "K H W"]:
        if self.score_array is None:
            raise ConfigError(
                "the image was processed in parts, and its scores were not kept; "
                "request them: model.predict(image, scores=True)"
            )
        return self.score_array

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

    def by_head(self) -> Mapping[str, "Prediction"]:
        """Return the prediction of each head by its name; with one head, itself by the name ""."""
        return self.heads or {"": self}

    def without_scores(self) -> "Prediction":
        """Return the prediction without its scores, which take most of its memory."""
        heads = {name: head.without_scores() for name, head in self.heads.items()}
        return replace(self, stored_labels=self.labels, score_array=None, heads=heads)

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

        Raises:
            ConfigError: `strength` is outside of it.
        """
        if not 0 <= strength <= 1:
            raise ConfigError(f"strength {strength}: expected a number from 0 to 1")
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
        """Write the labels as an indexed PNG, whose pixel values are classes.

        Raises:
            ConfigError: the path has another suffix.
            OutputError: the disk is full, or the folder cannot be written.
        """
        check_suffix(path, ".png", "a prediction", "fc.batch.write_prediction has other formats")
        images.write_labels(Path(path), self.labels, self.palette)


def photo_of(image: UInt8[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return red, green and blue of an image."""
    return image if image.shape[2] == RGB else np.ascontiguousarray(image[..., :RGB])
