"""The bands of a raster that become red, green and blue, and the values that become 0 and 255.

Bands are never dropped and values never rescaled unless the user or the file's metadata says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from fullconv.errors import ConfigError, DataError
from fullconv.io.value_range import ValueRange, scale_values

COLORS = ("red", "green", "blue")


@dataclass(frozen=True)
class BandChoice:
    """Which bands of a raster a network sees, and how its values, or those of a photo, are scaled.

    Attributes:
        bands: numbers, from 1, of red, green and blue, or of a single grey band; None: the file's
            own, if it has one band or three.
        value_range: the values that become 0 and 255; None: 8-bit values as they are, others by the
            number of bits that the metadata states.
        keep_8_bit: whether the range is for values of more than 8 bits only, and 8-bit values stay
            as they are: the range of photos.

    Raises:
        ConfigError: not one or three bands from 1, or not two finite values, the smaller one first.
    """

    bands: tuple[int, ...] | None = None
    value_range: ValueRange | None = None
    keep_8_bit: bool = False

    def __post_init__(self) -> None:
        if self.bands is not None and (len(self.bands) not in (1, 3) or min(self.bands) < 1):
            raise ConfigError(
                f"bands {_joined(self.bands)}: expected one or three band numbers from 1, such as "
                "4,1,2"
            )
        low, high = self.value_range or (0, 1)
        if not -inf < low < high < inf:
            raise ConfigError(
                f"range {_joined((low, high))}: expected two finite values, the smaller one first"
            )

    @property
    def is_explicit(self) -> bool:
        """Whether the user chose bands or a range: every TIFF, PNG and JPEG is then a raster."""
        return self.bands is not None or not (self.value_range is None or self.keep_8_bit)

    def or_else(self, default: "BandChoice | None") -> "BandChoice":
        """Return this choice, with what it leaves open taken from `default`."""
        if default is None:
            return self
        ranged = self if self.value_range else default
        bands = self.bands or default.bands
        return BandChoice(bands, ranged.value_range, ranged.keep_8_bit)

    def __str__(self) -> str:
        """Describe the choice, e.g. "bands 4, 1, 2 as red, green, blue; 0 is black, 3000 white"."""
        parts = []
        if self.bands:
            names = "grey" if len(self.bands) == 1 else "red, green, blue"
            parts.append(f"bands {', '.join(map(str, self.bands))} as {names}")
        if self.value_range:
            parts.append(f"{self.value_range[0]:g} is black, {self.value_range[1]:g} white")
        if self.keep_8_bit:
            parts.append("8-bit values as they are")
        return "; ".join(parts)


OWN_BANDS = BandChoice()
"""Whatever the file's metadata says."""


def parse_bands(bands: str | None, value_range: str | None = None) -> BandChoice:
    """Parse a choice as users write it: "4,1,2" and "0,3000"; None leaves it to the file.

    Raises:
        ConfigError: not numbers with commas between them, or numbers that make no sense.
    """
    try:
        numbers = None if bands is None else tuple(int(part) for part in bands.split(","))
    except ValueError as error:
        raise ConfigError(
            f"bands {bands}: expected one or three whole numbers from 1, such as 4,1,2"
        ) from error
    try:
        low, high = (-inf, inf) if value_range is None else map(float, value_range.split(","))
    except ValueError as error:
        raise ConfigError(f"range {value_range}: expected two numbers, such as 0,3000") from error
    return BandChoice(numbers, None if value_range is None else (low, high))


def parse_options(options: str) -> BandChoice:
    """Parse the options of a data set's name: "bands=4,3,2&range=0,3000".

    Raises:
        ConfigError: an unknown option, or a value as in `parse_bands`.
    """
    values = dict(option.partition("=")[::2] for option in options.split("&") if option)
    unknown = sorted(set(values) - {"bands", "range"})
    if unknown:
        raise ConfigError(f"rasters have no option {unknown[0]!r}; expected bands or range")
    return parse_bands(values.get("bands"), values.get("range"))


def resolve(dataset: Any, name: str, choice: BandChoice) -> BandChoice:
    """Complete a choice from a file's metadata.

    Args:
        dataset: opened by rasterio.
        name: of the file, for messages.
        choice: of the user; what it leaves open is read from the file.

    Returns:
        A choice whose `bands` are known; its `value_range` is None for 8-bit values.

    Raises:
        DataError: the file has no such band, or its metadata leaves a doubt.
    """
    bands = choice.bands or _own_bands(dataset, name)
    if max(bands) > dataset.count:
        raise DataError(f"there is no band {max(bands)}; it has {_describe(dataset)}", where=name)
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if choice.keep_8_bit and kinds == {"uint8"}:
        return BandChoice(bands)
    return BandChoice(bands, choice.value_range or _own_range(dataset, bands, name))


def to_rgb(
    values: Shaped[np.ndarray, "bands H W"],
    valid: Bool[np.ndarray, "H W"] | None,
    value_range: ValueRange | None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Scale the chosen bands to RGB in [0, 255]; 0 where there is no data."""
    scaled = values if value_range is None else scale_values(values, value_range)
    if valid is not None:
        scaled = np.where(valid, scaled, 0)
    if len(scaled) == 1:
        scaled = np.repeat(scaled, 3, axis=0)
    return np.ascontiguousarray(scaled.astype(np.uint8, copy=False).transpose(1, 2, 0))


def _own_bands(dataset: Any, name: str) -> tuple[int, ...]:
    meaning = [color.name for color in dataset.colorinterp]
    if meaning == ["palette"]:
        raise DataError(
            "its values are indices into a colour table",
            expected="the colours themselves",
            remedy="convert it with gdal_translate -expand rgb",
            where=name,
        )
    if dataset.count == 1:
        return (1,)
    if dataset.count == 3:
        known = set(meaning) == set(COLORS)
        return tuple(meaning.index(color) + 1 for color in COLORS) if known else (1, 2, 3)
    mask = [number for number, name in enumerate(meaning, 1) if name == "alpha"][:1]
    hint = "".join(f"; band {number}, tagged alpha, then marks valid pixels" for number in mask)
    raise DataError(
        _describe(dataset),
        expected="one band or three",
        remedy="choose red, green and blue with rasters:FOLDER?bands=1,2,3 (data sets) or --bands "
        f"1,2,3 (prediction){hint}",
        where=name,
    )


def _own_range(dataset: Any, bands: Sequence[int], name: str) -> ValueRange | None:
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if kinds == {"uint8"}:
        return None
    bits = {dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS") for band in bands}
    if len(bits) == 1 and None not in bits:
        return 0, 2 ** int(bits.pop()) - 1
    raise DataError(
        f"values of {', '.join(sorted(kinds))}, and no metadata about which are black and white",
        remedy="choose them with rasters:FOLDER?range=0,3000 (data sets) or --range 0,3000 "
        "(prediction, as in training)",
        where=name,
    )


def _describe(dataset: Any) -> str:
    """List the bands: "2 bands: 1 gray (uint8), 2 alpha (uint8)"."""
    columns = zip(dataset.descriptions, dataset.colorinterp, dataset.dtypes, strict=True)
    bands = [
        f"{number} {name or color.name} ({kind})"
        for number, (name, color, kind) in enumerate(columns, 1)
    ]
    return f"{dataset.count} band{'s' if dataset.count > 1 else ''}: {', '.join(bands)}"


def _joined(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
