"""One row per image: what an evaluation keeps of it after its prediction is discarded."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from fullconv.evaluation.image_counts import ImageCounts, class_counts
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID

NEAR = 3  # pixels from a boundary between classes up to which a wrong pixel counts as near it
CHUNK = 1 << 16  # pixels at a time: scores of all classes stay in the cache


@dataclass(frozen=True)
class ImageRow:
    """The measurements of one image besides its counts.

    Attributes:
        near: wrong pixels within `NEAR` pixels of a boundary between classes of the labels.
        confidence: mean probability of the predicted class over the target pixels; nan without
            scores.
        nll: mean negative log-likelihood of the target class, in nats; nan without scores.
    """

    near: int
    confidence: float = math.nan
    nll: float = math.nan


@dataclass
class ImageTableBuilder:
    """Collects the rows of a table, and the digest of names and labels."""

    names: list[str] = field(default_factory=list)
    counts: list[Int64[np.ndarray, "K 3"]] = field(default_factory=list)
    rows: list[ImageRow] = field(default_factory=list)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(
        self,
        name: str,
        labels: UInt8[np.ndarray, "H W"],
        predicted: UInt8[np.ndarray, "H W"],
        confusion: Confusion,
        score: Float[Tensor, "K H W"] | None,
    ) -> None:
        """Add an image."""
        self.names.append(name)
        self.counts.append(class_counts(confusion))
        self.rows.append(measure_image(labels, predicted, score))
        text = f"{name}\0{labels.shape}\0".encode("utf-8", "surrogateescape")
        self._digest.update(text + np.ascontiguousarray(labels).tobytes())

    def table(self, classes: int) -> "ImageTable":
        """Return the table."""
        values = np.stack(self.counts) if self.counts else np.zeros((0, classes, 3), np.int64)
        columns = [[getattr(row, name) for row in self.rows] for name in ("near", *_FLOATS)]
        near, confidence, nll = columns
        return ImageTable(
            ImageCounts(tuple(self.names), values),
            np.array(near, np.int64),
            np.array(confidence, np.float64),
            np.array(nll, np.float64),
            self._digest.hexdigest()[:16],
        )


_FLOATS = ("confidence", "nll")


@dataclass(frozen=True)
class ImageTable:
    """The images of an evaluation; see `ImageRow` for the columns.

    Attributes:
        counts: true positives, false positives and false negatives of each class and image.
        near: wrong pixels near a boundary, of each image.
        confidence: mean probability of the predicted class, of each image.
        nll: mean negative log-likelihood, of each image.
        digest: identity of the names and the labels, 16 hexadecimal digits.
    """

    counts: ImageCounts
    near: Int64[np.ndarray, " N"]
    confidence: Float[np.ndarray, " N"]
    nll: Float[np.ndarray, " N"]
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images."""
        return self.counts.names


def measure_image(
    labels: UInt8[np.ndarray, "H W"],
    predicted: UInt8[np.ndarray, "H W"],
    score: Float[Tensor, "K H W"] | None,
) -> ImageRow:
    """Measure one image; `score` is None for predictions from files."""
    valid = labels != VOID
    near = int((near_boundary(labels, NEAR) & valid & (labels != predicted)).sum())
    total = int(valid.sum())
    if score is None or not total:
        return ImageRow(near)
    confidence = nll = 0.0
    for part in pixel_chunks(score, labels):
        confidence += part.probabilities.amax(0).sum(dtype=torch.float64).item()
        likelihood = part.probabilities.gather(0, part.labels[None]).log_()
        nll -= likelihood.clamp_(min=_LOWEST).sum(dtype=torch.float64).item()
    return ImageRow(near, confidence / total, nll / total)


_LOWEST = -87.0  # the logarithm of the smallest normal float32


@dataclass(frozen=True)
class PixelChunk:
    """Probabilities and labels of some target pixels of an image."""

    probabilities: Float[Tensor, "K P"]
    labels: Int64[Tensor, " P"]


def pixel_chunks(
    score: Float[Tensor, "K H W"], labels: UInt8[np.ndarray, "H W"]
) -> Iterator[PixelChunk]:
    """Yield the probabilities of an image's target pixels, a few rows at a time."""
    height, width = labels.shape
    rows = max(1, CHUNK // width)
    target = torch.from_numpy(labels)
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        valid = target[part].flatten() != VOID
        probabilities = score[:, part].flatten(1).float().cpu().softmax(0)
        chosen = target[part].flatten().long()
        if not valid.all():
            probabilities, chosen = probabilities[:, valid], chosen[valid]
        if len(chosen):
            yield PixelChunk(probabilities, chosen)


def class_edges(labels: UInt8[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Return the pixels that have a 4-neighbour of another class.

    The ignore label and the frame of the image make no edges.
    """
    edges = np.zeros(labels.shape, bool)
    for first, second in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        one, other = labels[first], labels[second]
        differ = (one != other) & (one != VOID) & (other != VOID)
        edges[first] |= differ
        edges[second] |= differ
    return edges


def near_boundary(labels: UInt8[np.ndarray, "H W"], radius: int) -> Bool[np.ndarray, "H W"]:
    """Return the pixels within a small Euclidean distance of a boundary between classes."""
    edges = class_edges(labels)
    height, width = edges.shape
    near = edges.copy()
    for down in range(-radius, radius + 1):
        reach = math.isqrt(radius**2 - down**2)
        rows = slice(max(0, down), height + min(0, down))
        source = slice(max(0, -down), height + min(0, -down))
        for right in range(-reach, reach + 1):
            columns = slice(max(0, right), width + min(0, right))
            origin = slice(max(0, -right), width + min(0, -right))
            near[rows, columns] |= edges[source, origin]
    return near
