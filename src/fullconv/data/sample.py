"""Samples and data sets."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from fullconv.config import Head
from fullconv.errors import DataError, UnknownNameError
from fullconv.io.images import (
    ExtraInput,
    input_file,
    parse_inputs,
    resolve_inputs,
    scale_photo,
    with_inputs,
)
from fullconv.io.palettes import Color, Palette, voc_palette
from fullconv.io.rasters.bands import BandChoice


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Sample:
    """An image and its labels.

    Attributes:
        image: in [0, 255]: red, green, blue, and the channels of other inputs, if any; from
            `Data.read` RGB only, and the own values of a photo with more than 8 bits.
        labels: class of each pixel; `VOID` (255) is the ignore label.
        name: unique name in the data set; output files are named after it.
        soft: probabilities of each class, times 255, as a teacher predicts them; None without.
        others: labels of the heads after the first, if there are several.
    """

    image: Shaped[np.ndarray, "H W C"]
    labels: UInt8[np.ndarray, "H W"]
    name: str
    soft: UInt8[np.ndarray, "H W K"] | None = None
    others: tuple[UInt8[np.ndarray, "H W"], ...] = ()

    def moved(
        self, image: Shaped[np.ndarray, "H W C"], move: Callable[[np.ndarray], np.ndarray]
    ) -> "Sample":
        """Return the sample with another image, and the labels of every head moved alike."""
        others = tuple(move(labels) for labels in self.others)
        return replace(self, image=image, labels=move(self.labels), others=others)


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
        photos: the photo of each sample; () where photos are no image files of their own.
        inputs: channels beside red, green and blue, read from folders beside the photos'.
        heads: labels of several kinds, each with its classes, of which the first are `classes` and
            `palette`; () for one kind.
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
    photos: tuple[Path, ...] = ()
    inputs: tuple[ExtraInput, ...] = ()
    heads: tuple[Head, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        number = self._number(index)
        sample = scale_sample(self.read(number), self.band_choice, self.source)
        if not self.inputs:
            return sample
        return replace(sample, image=with_inputs(sample.image, self.photos[number], self.inputs))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def scaled_for(self, model_choice: BandChoice | None) -> "Data":
        """Return the data set with photos of more than 8 bits scaled as in a model's training."""
        return replace(self, band_choice=model_choice)

    def _number(self, index: int) -> int:
        """Return the number of a sample, from 0; a negative index counts from the end.

        Raises:
            TypeError: it is not a whole number. Nor is a truth value: a list of them is a mask.
            IndexError: there is no such sample.
        """
        if isinstance(index, bool | np.bool_) or not hasattr(index, "__index__"):
            raise TypeError(
                f"{index!r} is not the number of a sample; data.take([0, 2]) takes several"
            )
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return index % len(self)

    def take(self, indices: Iterable[int]) -> "Data":
        """Return the data set of the samples of these numbers, in this order.

        Raises:
            TypeError: one is not a whole number.
            IndexError: there is no such sample.
        """
        read = self.read
        taken = tuple(map(self._number, indices))
        names = tuple(self.names[index] for index in taken)
        photos = tuple(self.photos[index] for index in taken) if self.photos else ()
        return replace(self, names=names, photos=photos, read=lambda index: read(taken[index]))

    def with_inputs(self, inputs: Sequence[ExtraInput]) -> "Data":
        """Return the data set with channels beside red, green and blue.

        Raises:
            DataError: its photos are no image files of their own.
            ImageError: the file of an input is missing.
        """
        if not inputs:
            return replace(self, inputs=())
        if not self.photos:
            raise DataError(
                f"the input {inputs[0].name} for samples that are no plain image files",
                expected="a folder of photos, beside one with a file of the same name for each",
                where=self.source,
            )
        for extra in inputs:
            for photo in self.photos:
                input_file(photo, extra)
        return replace(self, inputs=tuple(inputs))

    @property
    def score_names(self) -> tuple[str, ...]:
        """A name for each score of a network: the classes, those of several heads with the head."""
        if not self.heads:
            return self.classes
        return tuple(f"{head.name}: {label}" for head in self.heads for label in head.classes)

    def head(self, name: str) -> "Data":
        """Return the data set with the labels of one of several heads.

        Raises:
            UnknownNameError: there is no such head.
        """
        names = [head.name for head in self.heads]
        if name not in names:
            raise UnknownNameError("head", name, names)
        number, read = names.index(name), self.read
        found = self.heads[number]

        def read_head(index: int) -> Sample:
            sample = read(index)
            return replace(sample, labels=(sample.labels, *sample.others)[number], others=())

        return replace(self, classes=found.classes, palette=found.palette, heads=(), read=read_head)

    def by_head(self) -> dict[str, "Data"]:
        """Return the data set of each head by its name; with one head, itself by the name ""."""
        return {head.name: self.head(head.name) for head in self.heads} or {"": self}

    def check_classes(
        self, classes: Sequence[str], remedy: str, heads: Sequence[Head] = ()
    ) -> None:
        """Check that the classes are those of a model, in its order, and the heads likewise.

        Raises:
            DataError: they are not; `remedy` says what to do.
        """
        ours, theirs = (_describe_heads(each) for each in (self.heads, heads))
        if ours != theirs:
            raise DataError(
                f"labels of {ours}",
                expected=f"those of the model, {theirs}",
                remedy=remedy,
                where=self.source,
            )
        for head, other in zip(self.heads, heads, strict=True):
            if head.classes != other.classes:
                raise DataError(
                    f"the classes {', '.join(head.classes)} of {head.name}",
                    expected=f"those of the model, {', '.join(other.classes)}",
                    remedy=remedy,
                    where=self.source,
                )
        if self.classes != tuple(classes):
            raise DataError(
                f"the classes {', '.join(self.classes)}",
                expected=f"those of the model, {', '.join(classes)}",
                remedy=remedy,
                where=self.source,
            )


def _describe_heads(heads: Sequence[Head]) -> str:
    return f"the heads {', '.join(head.name for head in heads)}" if heads else "one head"


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
        photos=(*first.photos, *second.photos),
        warnings=tuple(dict.fromkeys((*first.warnings, *second.warnings))),
    )


def with_named_inputs(data: Data, names: str) -> Data:
    """Return a data set with the inputs that a user named, e.g. "depth:log:500:10000,hha".

    Raises:
        ConfigError: the text is not written so.
        DataError: its photos are no image files of their own.
        ImageError: the file of an input is missing.
    """
    if not data.photos:
        return data.with_inputs([ExtraInput(name) for name, _, _ in parse_inputs(names)])
    return data.with_inputs(resolve_inputs(names, data.photos[0]))


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


def default_palette(classes: Sequence[str]) -> Palette:
    """Return VOC's colours for classes without declared colours."""
    return voc_palette(len(classes))


@dataclass(frozen=True)
class Pair:
    """The photo and mask of a sample, and its name, in which unsafe characters are replaced.

    Attributes:
        others: masks of the heads after the first, if there are several.
    """

    name: str
    photo: Path
    mask: Path
    others: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))


def clean_name(text: str) -> str:
    """Return a name with "_" for characters that would break lists, messages and file names."""
    safe = _UNSAFE.sub("_", text)
    return f"_{safe[1:]}" if safe.startswith(".") else safe  # or the file would be hidden


# Control characters, line breaks, slashes, and surrogates, which stand for bytes that are no UTF-8.
_UNSAFE = re.compile(r"[\x00-\x1f/\\\x7f-\x9f\u2028\u2029\ud800-\udfff]")
