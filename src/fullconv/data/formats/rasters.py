"""Rasters (GeoTIFF): many bands, more than 8 bits, pixels without data.

Bands are never dropped and values never rescaled silently: the choice is part of the data set's
name, "rasters:FOLDER?bands=4,3,2&range=0,3000".
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.formats import Format, folders, formats
from fullconv.data.labels.classes import ClassList, declared_classes
from fullconv.data.labels.encoding import refuse_jpeg, resolve
from fullconv.data.labels.masks import MaskTable
from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError
from fullconv.io.palettes import VOID
from fullconv.io.rasters import (
    BandChoice,
    check_alignment,
    nodata_value,
    parse_options,
    raster_palette,
    read_raster,
    read_raster_mask,
)


def scan(source: str) -> Inventory:
    """List rasters with masks in the layout of `folders`.

    Pixels without data, in the image or in the mask, are void. An image needs `bands` if it has
    neither one band nor three, and `range` if it has more than 8 bits.

    Args:
        source: FOLDER, FOLDER?bands=4,3,2 or FOLDER?bands=1&range=0,3000.

    Raises:
        ConfigError: an unknown option, or a value that makes no sense.
        DataError: there are no such folders, or more than one can be meant.
    """
    place, _, options = source.partition("?")
    choice = parse_options(options)
    inventory = folders.scan(place)
    masks = [*dict.fromkeys(pair.mask for pair in inventory.everything())]

    @cache  # the masks are looked at once, however many samples are read
    def resolved() -> tuple[ClassList, MaskTable]:
        refuse_jpeg(masks)
        return resolve(declared_classes(inventory.folder, numbered=True), masks, _raw_labels)

    def classes(_: Sequence[Path], __: Read) -> Classes:
        found = resolved()[0]
        return found.classes, found.palette, None

    inventory.layout, inventory.resolve, inventory.files = "rasters", classes, False
    inventory.read = lambda pair: _read(pair, resolved()[1], choice)
    inventory.band_choice = choice if choice.is_explicit else None
    return inventory


def _read(pair: Pair, table: MaskTable, choice: BandChoice) -> Sample:
    check_alignment(pair.photo, pair.mask)
    _check_nodata(pair.mask, table)
    image, image_valid = read_raster(pair.photo, choice)
    raw, mask_valid = read_raster_mask(pair.mask)
    if mask_valid.shape != image_valid.shape:
        raise DataError(
            f"{mask_valid.shape[0]} x {mask_valid.shape[1]} pixels (height x width), but "
            f"{pair.photo} has {image_valid.shape[0]} x {image_valid.shape[1]}",
            expected="one size",
            where=pair.mask,
        )
    labels = np.full(mask_valid.shape, VOID, np.uint8)
    # As one row of pixels, since the table must not see the values where there is no data.
    row = raw[mask_valid][None]
    row = table.resolve_palette(row, raster_palette(pair.mask), str(pair.mask))
    labels[mask_valid] = table(row, str(pair.mask))[0]
    labels[~image_valid] = VOID
    return Sample(image, labels, pair.name)


def _check_nodata(path: Path, table: MaskTable) -> None:
    """Refuse a mask whose nodata value is also the value of a class."""
    nodata = nodata_value(path)
    label = VOID if nodata is None else table.indices.mapping.get(int(nodata), VOID)
    if label != VOID:
        raise DataError(
            f"its metadata declares {nodata:g} as nodata, but it is also the class "
            f"{table.indices.classes[label]!r}",
            remedy="remove the nodata value (gdal_edit.py -unsetnodata), or write "
            f'"{nodata:g} __ignore__" into classes.txt',
            where=path,
        )


def _raw_labels(path: Path) -> np.ndarray:
    """Read the raw values of a mask's pixels that have data, as one row, for its encoding."""
    raw, valid = read_raster_mask(path)
    return np.asarray(raw[valid][None])


formats.register("rasters")(
    Format(
        summary="images/*.tif and masks/*.tif with any bands: rasters:FOLDER?bands=4,3,2",
        scan=scan,
        lists=True,
        # By names alone they are plain photos, so this format has to be asked for.
        recognises=lambda folder: False,
    )
)
