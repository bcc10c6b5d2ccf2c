"""Samples, data sets, and batches of samples of different sizes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

from fullconv.errors import DataError
from fullconv.io.images import scale_photo
from fullconv.io.palettes import VOID, Color, Palette, voc_palette
from fullconv.io.rasters.bands import BandChoice


@dataclass(frozen=True)
class Sample:
    """An image and its labels.

    Attributes:
        image: RGB in [0, 255]; from `Data.read`, the own values of a photo with more than 8 bits.
        labels: class of each pixel; `VOID` (255) is the ignore label.
        name: unique name in the data set; output files are named after it.
        soft: probabilities of each class, times 255, as a teacher predicts them; None without.
    """

    image: Shaped[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]
    name: str
    soft: UInt8[np.ndarray, "H W K"] | None = None


@dataclass(frozen=True)
class Data:
    """A data set, whose samples are read on access.

    Attributes:
        source: the data set as the user named it, e.g. "photos" or "scenes:200".
        split: "train", "val", ... or None for all samples.
        classes: class names.
        palette: one colour per class.
        names: unique names of the samples, in a fixed order.
        read: reads the sample of an index, before its image is scaled to [0, 255].
        band_choice: how rasters are read, if the user chose bands or a range; how photos with more
            than 8 bits are scaled.
        mask_values: value in masks -> label or 255; {} if masks are not image files.
        colors: declared colour -> label or 255; {} if no colours are declared.
        warnings: what the folder holds and the data set leaves out: a sentence per kind, counted.
    """

    source: str
    split: str | None
    classes: tuple[str, ...]
    palette: Palette
    names: tuple[str, ...]
    read: Callable[[int], Sample]
    band_choice: BandChoice | None = None
    mask_values: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[Color, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return scale_sample(self.read(index % len(self)), self.band_choice, self.source)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def scaled_for(self, model_choice: BandChoice | None) -> "Data":
        """Return the data set with photos of more than 8 bits scaled as in a model's training."""
        return replace(self, band_choice=model_choice)

    def take(self, indices: Sequence[int]) -> "Data":
        """Return the data set of these samples, in this order."""
        read = self.read
        taken = tuple(indices)
        names = tuple(self.names[index] for index in taken)
        return replace(self, names=names, read=lambda index: read(taken[index]))

    def check_classes(self, classes: Sequence[str], remedy: str) -> None:
        """Check that the classes are those of a model, in its order.

        Raises:
            DataError: they are not; `remedy` says what to do.
        """
        if self.classes != tuple(classes):
            raise DataError(
                f"the classes {', '.join(self.classes)}",
                expected=f"those of the model, {', '.join(classes)}",
                remedy=remedy,
                where=self.source,
            )


@dataclass(frozen=True)
class _Joined:
    """Read the samples of two data sets, one after the other."""

    first: Data
    second: Data

    def __call__(self, index: int) -> Sample:
        """Return the sample of an index."""
        count = len(self.first)
        return self.first.read(index) if index < count else self.second.read(index - count)

    @property
    def pairs(self) -> "tuple[Pair, ...] | None":
        """The files of all samples; None if they are not known."""
        first: tuple[Pair, ...] | None = getattr(self.first.read, "pairs", None)
        second: tuple[Pair, ...] | None = getattr(self.second.read, "pairs", None)
        return None if first is None or second is None else (*first, *second)

    @property
    def table(self) -> object:
        """How mask values become classes; None if it is not known."""
        return getattr(self.first.read, "table", None)


def joined(first: Data, second: Data) -> Data:
    """Return the samples of two splits of a data set as one.

    Raises:
        DataError: a sample is in both.
    """
    if both := sorted(set(first.names) & set(second.names)):
        raise DataError(
            f"{both[0]} is in {first.split} and in {second.split}",
            expected="splits without common samples",
            where=first.source,
        )
    return replace(
        first,
        split=f"{first.split}+{second.split}",
        names=(*first.names, *second.names),
        read=_Joined(first, second),
        warnings=tuple(dict.fromkeys((*first.warnings, *second.warnings))),
    )


def scale_sample(sample: Sample, choice: BandChoice | None, source: str) -> Sample:
    """Return a sample with its image in [0, 255], by the range of the data set `source`.

    Raises:
        ImageError: the photo has more than 8 bits, and there is no range.
    """
    if sample.image.dtype == np.uint8:
        return sample
    value_range = choice.value_range if choice else None
    image = scale_photo(sample.image, value_range, f"{source}, {sample.name}")
    return replace(sample, image=image)


@dataclass(frozen=True)
class Batch:
    """Images and labels as the network uses them."""

    image: Float[Tensor, "B 3 H W"]
    labels: Int64[Tensor, "B H W"]
    names: tuple[str, ...]
    soft: UInt8[Tensor, "B K H W"] | None = None


def collate(samples: Sequence[Sample]) -> Batch:
    """Return samples as a batch; smaller ones are padded right and below, with the ignore label."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    image = torch.zeros(len(samples), 3, height, width)
    labels = torch.full((len(samples), height, width), VOID, dtype=torch.int64)
    for index, sample in enumerate(samples):
        rows, columns = sample.labels.shape
        image[index, :, :rows, :columns] = torch.from_numpy(sample.image).permute(2, 0, 1)
        labels[index, :rows, :columns] = torch.from_numpy(sample.labels)
    names = tuple(sample.name for sample in samples)
    return Batch(image, labels, names, _collate_soft(samples, height, width))


def _collate_soft(
    samples: Sequence[Sample], height: int, width: int
) -> UInt8[Tensor, "B K H W"] | None:
    """Return the teacher's probabilities, 0 where samples are padded; None without a teacher."""
    found = [sample.soft for sample in samples if sample.soft is not None]
    if not found:
        return None
    batch = torch.zeros(len(samples), found[0].shape[2], height, width, dtype=torch.uint8)
    for index, soft in enumerate(found):
        rows, columns = soft.shape[:2]
        batch[index, :, :rows, :columns] = torch.from_numpy(soft).permute(2, 0, 1)
    return batch


def default_palette(classes: Sequence[str]) -> Palette:
    """Return VOC's colours for classes without declared colours."""
    return voc_palette(len(classes))


@dataclass(frozen=True)
class Pair:
    """The photo and mask of a sample, and its name, in which unsafe characters are replaced."""

    name: str
    photo: Path
    mask: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))


def clean_name(text: str) -> str:
    """Return a name with "_" for characters that would break lists, messages and file names."""
    safe = _UNSAFE.sub("_", text)
    return f"_{safe[1:]}" if safe.startswith(".") else safe  # or the file would be hidden


# Control characters, line breaks, slashes, and surrogates, which stand for bytes that are no UTF-8.
_UNSAFE = re.compile(r"[\x00-\x1f/\\\x7f-\x9f\u2028\u2029\ud800-\udfff]")
