"""Choose the value range of photos with more than 8 bits, from those of a training set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fullconv.errors import DataError
from fullconv.io.images import is_deep_file, read_photo
from fullconv.io.rasters.bands import BandChoice

SHARES = (0.001, 0.999)
"""The quantiles that become black and white: a few dead or glaring pixels do not count."""

MAX_PHOTOS = 32
MAX_VALUES = 2**16  # of a photo, evenly spaced, so that large photos do not outweigh small ones


@dataclass(frozen=True)
class PhotoRange:
    """What was found in the photos of a training set.

    Attributes:
        deep: the photos with more than 8 bits a channel.
        count: the number of all photos.
    """

    deep: tuple[Path, ...]
    count: int

    @cached_property
    def choice(self) -> BandChoice | None:
        """The range for photos with more than 8 bits; None if there are none that can be read.

        The quantiles 0.1 % and 99.9 % of the values of all channels, from up to 32 photos. One
        range for all channels keeps colours, and one for all photos their brightness.
        """
        taken = np.linspace(0, len(self.deep) - 1, min(len(self.deep), MAX_PHOTOS)).round()
        values = [found for index in taken if (found := _values(self.deep[int(index)])).size]
        if not values:
            return None
        pooled = np.sort(np.concatenate(values))
        low, high = (float(pooled[round(share * (pooled.size - 1))]) for share in SHARES)
        return BandChoice(value_range=(low, high if high > low else low + 1), keep_8_bit=True)

    @property
    def summary(self) -> str:
        """The range in words; "" without one."""
        if self.choice is None or self.choice.value_range is None:
            return ""
        low, high = self.choice.value_range
        return (
            f"{low:g} becomes black and {high:g} white, in photos with more than 8 bits (0.1 % and "
            "99.9 % of the values in train)"
        )

    @property
    def warning(self) -> str:
        """What is noteworthy if only some photos have more than 8 bits; "" otherwise."""
        if not self.deep or len(self.deep) == self.count or self.choice is None:
            return ""
        eight = self.count - len(self.deep)
        return (
            f"{eight} of {self.count} photos of train with 8 bits a channel are used as they are, "
            f"and {len(self.deep)} with more are scaled; both have to look alike"
        )


def measure_range(photos: Sequence[Path]) -> PhotoRange:
    """Find the photos with more than 8 bits among those of a training set."""
    paths = [*dict.fromkeys(photos)]
    return PhotoRange(tuple(filter(is_deep_file, paths)), len(paths))


def _values(photo: Path) -> np.ndarray:
    """Return some finite values of a photo; none if it cannot be read, which reading it reports."""
    try:
        values = read_photo(photo)
    except DataError:
        return np.empty(0)
    if values.strides[2] == 0:
        values = values[..., :1]
    flat = values.reshape(-1)
    some = flat[:: -(-flat.size // MAX_VALUES)].astype(np.float64)
    finite: np.ndarray = some[np.isfinite(some)]
    return finite
