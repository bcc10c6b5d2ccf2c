"""A photo with its labels, a data set of them, and how unequal sizes form one batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from fullconv.io.palettes import VOID, Palette, voc_palette
from fullconv.io.rasters.bands import BandChoice


@dataclass(frozen=True)
class Sample:
    """One photo and the class of each of its pixels.

    Attributes:
        image: RGB in [0, 255].
        labels: integer classes, `VOID` (255) where none is given.
        name: unique in its data set; the stem of every file that is written about it.
    """

    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]
    name: str


@dataclass(frozen=True)
class Data:
    """A data set: the names of its samples, and how each one is read when it is asked for.

    Attributes:
        source: what the user called it, e.g. "photos" or "scenes:200".
        split: "train", "val", ... or None for all of it.
        classes: name of class 0, of class 1, ...
        palette: one colour a class.
        names: one unique name a sample, in a fixed order.
        read: index to Sample.
        band_choice: how rasters are read, if the user chose bands or a range.
    """

    source: str
    split: str | None
    classes: tuple[str, ...]
    palette: Palette
    names: tuple[str, ...]
    read: Callable[[int], Sample]
    band_choice: BandChoice | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self.read(index % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(index) for index in range(len(self)))

    def take(self, indices: Sequence[int]) -> "Data":
        """The data set of only these samples, in this order."""
        read = self.read
        chosen = tuple(indices)
        names = tuple(self.names[index] for index in chosen)
        return replace(self, names=names, read=lambda index: read(chosen[index]))


@dataclass(frozen=True)
class Batch:
    """Samples of one size, as the network takes them."""

    image: Float[Tensor, "B 3 H W"]
    labels: Int64[Tensor, "B H W"]
    names: tuple[str, ...]


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of samples; the smaller ones are filled up, right and below, with void."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    image = torch.zeros(len(samples), 3, height, width)
    labels = torch.full((len(samples), height, width), VOID, dtype=torch.int64)
    for place, sample in enumerate(samples):
        rows, columns = sample.labels.shape
        image[place, :, :rows, :columns] = torch.from_numpy(sample.image).permute(2, 0, 1)
        labels[place, :rows, :columns] = torch.from_numpy(sample.labels)
    return Batch(image, labels, tuple(sample.name for sample in samples))


def default_palette(classes: Sequence[str]) -> Palette:
    """VOC's colours for classes that bring none of their own."""
    return voc_palette(len(classes))


@dataclass(frozen=True)
class Pair:
    """One photo, its mask, and the name of the sample."""

    name: str
    photo: Path
    mask: Path
