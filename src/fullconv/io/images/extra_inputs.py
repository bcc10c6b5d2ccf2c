"""Channels beside red, green and blue: images of the same names in folders beside the photos."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped, UInt8

from fullconv.errors import ConfigError, ImageError
from fullconv.io.images.decode import SUFFIXES, read_header
from fullconv.io.images.orientation import SIDEWAYS, turn_sideways
from fullconv.io.images.photos import read_photo
from fullconv.io.value_range import ValueRange, scale_values

Scale = Literal["linear", "log"]
_SCALES = ("linear", "log")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EXPECTED = "the name of a folder, and for values of more than 8 bits a range, e.g. hha or "
_EXAMPLE = "depth:log:500:10000"
_LEVELS = 4  # folders above a photo in which the folder of an input is looked for


@dataclass(frozen=True)
class ExtraInput:
    """A kind of image beside the photo, such as depth, and how its values become [0, 255].

    Attributes:
        name: of the folder beside the photos' folder.
        channels: 1 or 3.
        scale: of the range: "linear", or "log", in which equal ratios become equal steps.
        value_range: the values that become 0 and 255; None for 8-bit values as they are.

    Raises:
        ConfigError: the name is not that of a folder, or the range is none.
    """

    name: str
    channels: int = 1
    scale: Scale = "linear"
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"input {self.name[:80]!r}: expected {_EXPECTED}{_EXAMPLE}")
        if self.channels not in (1, 3):
            raise ConfigError(f"input {self.name}: {self.channels} channels; expected 1 or 3")
        low, high = self.value_range or (1, 2)
        if not -inf < low < high < inf or (self.scale == "log" and low <= 0):
            least = "greater than 0" if self.scale == "log" else "finite"
            raise ConfigError(
                f"input {self.name}: the range {low:g} to {high:g}; expected two numbers, the "
                f"smaller one first and {least}"
            )

    def __str__(self) -> str:
        if not self.value_range:
            return self.name
        low, high = self.value_range
        return f"{self.name}:{self.scale}:{low:g}:{high:g}"

    def scaled(self, values: Shaped[np.ndarray, "H W 3"], where: Path) -> UInt8[np.ndarray, "..."]:
        """Return the values of a file as channels in [0, 255], (H, W, channels).

        Raises:
            ImageError: they have more than 8 bits and there is no range, or are in colours.
        """
        if self.channels == 1 and values.strides[2] != 0 and (values != values[..., :1]).any():
            raise ImageError(
                "an image in colours", expected=f"one channel of {self.name}", where=where
            )
        values = values[..., : self.channels]
        if self.value_range is None and values.dtype != np.uint8:
            finite = values[np.isfinite(values)]
            extremes = f" ({finite.min():g} to {finite.max():g})" if finite.size else ""
            raise ImageError(
                f"values of more than 8 bits{extremes}, and no range is known for {self.name}",
                remedy="say which values become 0 and 255, linear or log: --inputs "
                f"{self.name}:log:500:10000",
                where=where,
            )
        if self.value_range is None:
            return values
        if self.scale == "linear":
            return scale_values(values, self.value_range)
        low, high = (float(np.log(end)) for end in self.value_range)
        # Values without a logarithm, such as a missing depth of 0, become 0.
        known = np.maximum(values.astype(np.float64), self.value_range[0])
        return scale_values(np.log(known), (low, high))


def parse_inputs(text: str) -> tuple[tuple[str, Scale, ValueRange | None], ...]:
    """Parse inputs as users write them: "hha", or "depth:log:500:10000,hha".

    Raises:
        ConfigError: it is not written so, or an input occurs twice.
    """
    found: list[tuple[str, Scale, ValueRange | None]] = []
    for part in text.split(","):
        name, *rest = part.strip().split(":")
        if not rest:
            found.append((name, "linear", None))
            continue
        try:
            scale, low, high = rest
            value_range = float(low), float(high)
        except ValueError as error:
            raise ConfigError(f"input {part[:80]!r}: expected {_EXPECTED}{_EXAMPLE}") from error
        if scale not in _SCALES:
            raise ConfigError(f"input {part[:80]!r}: expected linear or log, e.g. {_EXAMPLE}")
        found.append((name, "log" if scale == "log" else "linear", value_range))
    names = [name for name, _, _ in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"inputs {text[:80]}: an input occurs twice")
    return tuple(found)


def resolve_inputs(text: str, photo: Path) -> tuple[ExtraInput, ...]:
    """Return the inputs that users named, with the channels of the files beside a photo.

    Raises:
        ConfigError: see `parse_inputs`.
        ImageError: there is no such file beside the photo.
    """
    inputs = []
    for name, scale, value_range in parse_inputs(text):
        unknown = ExtraInput(name, 1, scale, value_range)
        mode = read_header(input_file(photo, unknown)).mode
        grey = mode.startswith(("L", "1", "I", "F"))
        inputs.append(ExtraInput(name, 1 if grey else 3, scale, value_range))
    return tuple(inputs)


def channels_of(inputs: Sequence[ExtraInput]) -> int:
    """Return the channels of an image with these inputs: 3 without any."""
    return 3 + sum(extra.channels for extra in inputs)


def describe_channels(channels: int, inputs: Sequence[ExtraInput]) -> str:
    """Return what the channels of an image are: "4 channels: RGB, depth"."""
    if not inputs:
        return f"{channels} channels"
    names = [f"{e.name} ({e.channels})" if e.channels > 1 else e.name for e in inputs]
    return f"{channels} channels: RGB, {', '.join(names)}"


def input_file(photo: Path, extra: ExtraInput) -> Path:
    """Return the file of an input that belongs to a photo.

    It has the photo's name, with any suffix of an image, and is in the folder of the input's name
    beside a folder that holds the photo: images/train/a.jpg -> depth/train/a.png.

    Raises:
        ImageError: there is none.
    """
    looked = ""
    for level in range(min(_LEVELS, len(photo.parents) - 1)):
        folder = photo.parents[level + 1] / extra.name
        if not folder.is_dir():
            continue
        inside = folder / photo.relative_to(photo.parents[level]).parent
        looked = looked or str(inside / f"{photo.stem}.png")
        for suffix in SUFFIXES:
            if (file := inside / f"{photo.stem}{suffix}").is_file():
                return file
    beside = looked or str(photo.parent.parent / extra.name / f"{photo.stem}.png")
    raise ImageError(
        f"the input {extra.name} of the photo {photo} is missing",
        expected="one file per photo, of the same name",
        where=beside,
    )


def _turned_like(values: Shaped[np.ndarray, "H W 3"], photo: Path) -> Shaped[np.ndarray, "h w 3"]:
    """Rotate an image that has the stored size of a photo on its side, as masks are rotated."""
    header = read_header(photo)
    if header.orientation in SIDEWAYS and values.shape[:2] == header.stored != header.size:
        return turn_sideways(values, header.orientation)
    return values


def with_inputs(
    image: UInt8[np.ndarray, "H W 3"], photo: Path, inputs: Sequence[ExtraInput]
) -> UInt8[np.ndarray, "H W C"]:
    """Return a photo with the channels of its inputs after red, green and blue.

    An image without an EXIF orientation is rotated with a photo that is stored on its side.

    Raises:
        ImageError: the file of an input is missing, cannot be read, or has another size.
    """
    parts = [image]
    for extra in inputs:
        file = input_file(photo, extra)
        values = _turned_like(read_photo(file), photo)
        if values.shape[:2] != image.shape[:2]:
            raise ImageError(
                f"{values.shape[0]} x {values.shape[1]} pixels (height x width), but its photo "
                f"{photo} has {image.shape[0]} x {image.shape[1]}",
                expected="one size",
                where=file,
            )
        parts.append(extra.scaled(values, file))
    return np.concatenate(parts, 2) if inputs else image
