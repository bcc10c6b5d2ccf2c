"""Windows of one size: anywhere, or around a class that few pixels show."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from fullconv.sample import VOID, Sample

FILL = (124, 116, 104)
"""ImageNet's mean colour: what a photo is filled up with, under void labels."""


@dataclass(frozen=True)
class Crop:
    """A window of `size` (height, width); what lies outside the photo is void.

    Attributes:
        size: (height, width).
        rare: share of the windows, in [0, 1], that hold a pixel of a rare class: one of the rarer
            half of the classes in the photo, each as likely as the others. The rest lie anywhere.
    """

    size: tuple[int, int]
    rare: float = 0.0

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample's window, of exactly `size`."""
        around = None
        if self.rare and random.random() < self.rare:
            around = rare_pixel(sample.labels, random)
        height, width = self.size
        rows, columns = sample.labels.shape
        row, column = around or (None, None)
        top, left = _start(rows, height, row, random), _start(columns, width, column, random)
        part = (slice(top, top + height), slice(left, left + width))
        return replace(
            sample,
            image=_filled(sample.image[part], self.size, FILL),
            labels=_filled(sample.labels[part], self.size, VOID),
        )


def rare_pixel(
    labels: UInt8[np.ndarray, "H W"], random: np.random.Generator
) -> tuple[int, int] | None:
    """Any pixel (row, column) of any class of the rarer half; None where all is void."""
    counts = np.bincount(labels.ravel(), minlength=256)[:VOID]
    present = np.flatnonzero(counts)
    if not present.size:
        return None
    rarer = present[np.argsort(counts[present], kind="stable")][: max(1, present.size // 2)]
    places = np.flatnonzero(labels == rarer[random.integers(rarer.size)])
    row, column = divmod(int(places[random.integers(places.size)]), labels.shape[1])
    return row, column


def _start(whole: int, part: int, inside: int | None, random: np.random.Generator) -> int:
    """Where a window of `part` begins on a side of `whole`; it holds the pixel `inside`."""
    last = max(0, whole - part)
    if inside is None:
        return int(random.integers(last + 1))
    return int(random.integers(max(0, inside - part + 1), min(inside, last) + 1))


def _filled(array: np.ndarray, size: tuple[int, int], value: int | tuple[int, ...]) -> np.ndarray:
    if array.shape[:2] == size:
        return np.ascontiguousarray(array)
    full = np.empty((*size, *array.shape[2:]), array.dtype)
    full[:] = value
    full[: array.shape[0], : array.shape[1]] = array
    return full
