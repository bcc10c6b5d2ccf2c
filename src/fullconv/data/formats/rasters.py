"""Rasters of the earth (GeoTIFF): many bands, more than 8 bits, pixels without data.

Nothing is dropped or scaled without being told: bands and range are part of the data set's name,
"rasters:FOLDER?bands=4,3,2&range=0,3000".
"""

from collections.abc import Sequence
from functools import partial
from math import inf
from pathlib import Path

import numpy as np

from fullconv.data.formats import Format, formats
from fullconv.data.formats.folders import pairs_and_masks
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.encoding import no_jpeg, resolve
from fullconv.data.labels.masks import MaskTable, one_channel
from fullconv.data.sample import Data, Pair, Sample
from fullconv.errors import ConfigError, DataError
from fullconv.io.palettes import VOID
from fullconv.io.rasters.reader import (
    RasterChoice as Choice,
)
from fullconv.io.rasters.reader import (
    check_place,
    nodata_of,
    read_photo,
    read_truth,
)


def open_rasters(source: str, split: str | None) -> Data:
    """Open rasters with masks, which lie as in `folders`.

    Pixels without data, in the photo or in the mask, are void. A photo needs `bands` if it has
    more than three, and `range` if it has more than 8 bits.

    Args:
        source: FOLDER, FOLDER?bands=4,3,2 or FOLDER?bands=1&range=0,3000.
        split: as in `folders`.

    Raises:
        ConfigError: an option that is unknown or makes no sense.
        DataError: the folders, the pairs, the classes or the split are not there.
        MissingExtraError: rasterio is not installed.
    """
    place, _, options = source.partition("?")
    choice = read_choice(options)
    folder = Path(place)
    pairs, masks = pairs_and_masks(folder, split)
    no_jpeg(masks)
    classes, table = resolve(declared_classes(folder), masks, _values)
    names = tuple(pair.name for pair in pairs)
    read = partial(_read_at, tuple(pairs), table, choice)
    return Data(source, split, classes.classes, classes.palette, names, read)


def read_choice(options: str) -> Choice:
    """The choice that "bands=4,3,2&range=0,3000" makes.

    Raises:
        ConfigError: an unknown option, or numbers that make no sense.
    """
    given = dict(one.partition("=")[::2] for one in options.split("&") if one)
    unknown = sorted(set(given) - {"bands", "range"})
    if unknown:
        raise ConfigError(f"rasters have no option {unknown[0]!r}; there are: bands, range")
    bands = _numbers(given["bands"], "bands", (1, 3)) if "bands" in given else None
    limits = _numbers(given["range"], "range", (2,)) if "range" in given else None
    if bands and not all(band.is_integer() and band >= 1 for band in bands):
        raise ConfigError(f"bands={given['bands']}; expected whole numbers from 1")
    if limits and not -inf < limits[0] < limits[1] < inf:
        raise ConfigError(f"range={given['range']}; expected the smaller number first")
    return Choice(
        tuple(int(band) for band in bands) if bands else None,
        (limits[0], limits[1]) if limits else None,
    )


def _read_at(pairs: Sequence[Pair], table: MaskTable, choice: Choice, index: int) -> Sample:
    pair = pairs[index]
    check_place(pair.photo, pair.mask)
    _check_nodata(pair.mask, table)
    image, seen = read_photo(pair.photo, choice)
    raw, drawn = read_truth(pair.mask)
    if drawn.shape != seen.shape:
        raise DataError(
            f"{drawn.shape[0]} x {drawn.shape[1]} pixels (height x width), but {pair.photo} has "
            f"{seen.shape[0]} x {seen.shape[1]}",
            expected="one size",
            where=pair.mask,
        )
    labels = np.full(drawn.shape, VOID, np.uint8)
    # One row of pixels: the table must not see what stands where there is no data.
    labels[drawn] = table(raw[drawn][None], str(pair.mask))[0]
    labels[~seen] = VOID
    return Sample(image, labels, pair.name)


def _check_nodata(path: Path, table: MaskTable) -> None:
    nodata = nodata_of(path)
    label = VOID if nodata is None else table.indices.mapping.get(int(nodata), VOID)
    if label != VOID:
        raise DataError(
            f"its metadata calls the value {nodata:g} no data, but it is the class "
            f"{table.indices.classes[label]!r}",
            remedy=(
                f'take the nodata value out (gdal_edit.py -unsetnodata), or write "{nodata:g} '
                '__ignore__" into classes.txt'
            ),
            where=path,
        )


def _values(path: Path) -> np.ndarray:
    """A mask's raw values, with void where it has no data: for looking, not for training."""
    raw, valid = read_truth(path)
    if raw.ndim == 3 and (raw != raw[..., :1]).any():
        return raw
    return np.where(valid, one_channel(raw, str(path)), VOID)


def _numbers(text: str, name: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"{name}={text}; expected numbers with commas between them") from error
    if len(numbers) not in counts:
        wanted = " or ".join(map(str, counts))
        raise ConfigError(f"{name}={text}; expected {wanted} numbers")
    return numbers


formats.register("rasters")(
    Format(
        summary="images/*.tif and masks/*.tif with any bands: rasters:FOLDER?bands=4,3,2",
        open=open_rasters,
        lists=True,
        # Without a look at the pictures they are plain photos; so this one must be asked for.
        recognises=lambda folder: False,
    )
)
