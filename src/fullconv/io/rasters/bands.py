"""Which of a raster's bands become red, green and blue, and which values black and white.

Nothing is dropped or scaled without being told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from fullconv.errors import ConfigError, DataError

_COLORS = ("red", "green", "blue")
_TABLED = 2  # bytes of a value; up to these, every value is scaled once


@dataclass(frozen=True)
class Words:
    """How a user chooses, where there is doubt: in a command, or in the name of a data set.

    Attributes:
        bands: what chooses the bands, with an example.
        limits: what chooses black and white, with an example.
    """

    bands: str = "with --bands, e.g. --bands 1,2,3"
    limits: str = "with --range, e.g. --range 0,3000, the same as in training"


COMMAND = Words()


@dataclass(frozen=True)
class Choice:
    """What becomes of the bands.

    Attributes:
        bands: numbers, from 1, of those that become red, green and blue; a single one is grey.
        limits: the values that become 0 and 255; None: 8-bit values as they are.
        alpha: number of the band whose zeros mean no data; None where there is none.
    """

    bands: tuple[int, ...]
    limits: tuple[float, float] | None = None
    alpha: int | None = None

    def __str__(self) -> str:
        names = "grey" if len(self.bands) == 1 else "red, green, blue"
        said = f"bands {', '.join(map(str, self.bands))} as {names}"
        if self.limits:
            said += f"; {self.limits[0]:g} is black, {self.limits[1]:g} white"
        return said + (f"; where band {self.alpha} is 0 there is no data" if self.alpha else "")


def parse_bands(text: str) -> tuple[int, ...]:
    """The bands that "4,1,2" names.

    Raises:
        ConfigError: these are no one or three numbers from 1.
    """
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--bands {text}: expected one or three numbers, such as 4,1,2")
    bands = tuple(int(part) for part in parts)
    if min(bands) < 1:
        raise ConfigError(f"--bands {text}: expected numbers from 1")
    return bands


def parse_range(text: str) -> tuple[float, float]:
    """The values of black and white that "0,3000" names.

    Raises:
        ConfigError: these are no two numbers, the smaller one first.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--range {text}: expected two numbers, such as 0,3000") from error
    if not -inf < low < high < inf:
        raise ConfigError(f"--range {text}: expected the smaller number first")
    return low, high


def choose(
    raster: Any,
    name: str,
    bands: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
    words: Words = COMMAND,
) -> Choice:
    """What was chosen, or else what the file itself leaves no doubt about.

    Args:
        raster: opened by rasterio.
        name: what messages call it.
        bands: chosen ones.
        limits: chosen ones.
        words: for messages.

    Raises:
        DataError: there is doubt, or a band that is not there.
    """
    meaning = [color.name for color in raster.colorinterp]
    chosen = tuple(bands) if bands else _own_bands(raster, meaning, name, words)
    if max(chosen) > raster.count:
        raise DataError(f"{name}: there is no band {max(chosen)}; it has {_listed(raster)}")
    alphas = [number for number, color in enumerate(meaning, 1) if color == "alpha"]
    alpha = alphas[0] if alphas and alphas[0] not in chosen else None
    return Choice(chosen, limits or _own_limits(raster, chosen, name, words), alpha)


def to_rgb(
    values: Shaped[np.ndarray, "bands H W"], valid: Bool[np.ndarray, "H W"] | None, choice: Choice
) -> UInt8[np.ndarray, "H W 3"]:
    """Values of the chosen bands as RGB in [0, 255]; 0 where there is no data."""
    shown = values if choice.limits is None else _scaled(values, choice.limits)
    if valid is not None:
        shown = np.where(valid, shown, 0)
    if len(shown) == 1:
        shown = np.repeat(shown, 3, axis=0)
    return np.ascontiguousarray(shown.astype(np.uint8, copy=False).transpose(1, 2, 0))


def _own_bands(raster: Any, meaning: Sequence[str], name: str, words: Words) -> tuple[int, ...]:
    if meaning == ["palette"]:
        raise DataError(
            f"{name}: its values are numbers of colours in a table; expected the colours "
            "themselves: gdal_translate -expand rgb"
        )
    if raster.count == 1:
        return (1,)
    if raster.count == 3:
        known = set(meaning) == set(_COLORS)
        red, green, blue = (meaning.index(color) + 1 for color in _COLORS) if known else (1, 2, 3)
        return (red, green, blue)
    alpha = meaning.index("alpha") + 1 if "alpha" in meaning else None
    raise DataError(
        f"{name}: {_listed(raster)}; expected three: say which are red, green and blue "
        f"{words.bands}{_alpha_hint(alpha)}"
    )


def _alpha_hint(alpha: int | None) -> str:
    return f"; band {alpha}, called alpha, then says where there is data" if alpha else ""


def _own_limits(
    raster: Any, bands: Sequence[int], name: str, words: Words
) -> tuple[float, float] | None:
    kinds = {raster.dtypes[band - 1] for band in bands}
    if kinds == {"uint8"}:
        return None
    bits = {raster.tags(band, ns="IMAGE_STRUCTURE").get("NBITS") for band in bands}
    if len(bits) == 1 and None not in bits:
        return 0, 2 ** int(bits.pop()) - 1
    raise DataError(
        f"{name}: values of {', '.join(sorted(kinds))}, and its metadata does not say what is "
        f"black and what is white: say it {words.limits}"
    )


def _scaled(
    values: Shaped[np.ndarray, "bands H W"], limits: tuple[float, float]
) -> UInt8[np.ndarray, "bands H W"]:
    if values.dtype.kind in "iu" and values.dtype.itemsize <= _TABLED:
        span = np.iinfo(values.dtype)
        table = _stretched(np.arange(span.min, span.max + 1), limits)
        # A negative value counts from the table's end, so the table begins at 0.
        scaled: np.ndarray = np.roll(table, int(span.min))[values]
        return scaled
    return np.stack([_stretched(band, limits) for band in values])


def _stretched(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    share = (np.nan_to_num(values.astype(np.float64), nan=low) - low) / (high - low)
    stretched: np.ndarray = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return stretched


def _listed(raster: Any) -> str:
    described = zip(raster.descriptions, raster.colorinterp, raster.dtypes, strict=True)
    bands = [
        f"{number} {name or color.name} ({kind})"
        for number, (name, color, kind) in enumerate(described, 1)
    ]
    return f"{raster.count} band{'s' if raster.count > 1 else ''}: {', '.join(bands)}"
