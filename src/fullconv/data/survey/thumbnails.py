"""Draw thumbnails of the files that findings name."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.data.survey.finding import Finding
from fullconv.data.survey.overlays import can_be_drawn
from fullconv.data.survey.survey import Item, Survey
from fullconv.errors import DataError
from fullconv.io.images import encode_jpeg, read_image, read_mask, scale_image
from fullconv.io.palettes import colorize, voc_palette

MAX_THUMBNAILS = 4  # per kind of finding
_HEIGHT = 120  # pixels

Drawn = Callable[[], UInt8[np.ndarray, "H W 3"]]


def thumbnails(survey: Survey, findings: Sequence[Finding]) -> list[tuple[str, list[bytes]]]:
    """Return a caption and JPEGs for the first findings: photo and mask, or two photos."""
    by_file: dict[str, Item] = {}
    for item in survey.items:
        by_file[survey.relative(item.photo.path)] = by_file[survey.relative(item.mask.path)] = item
    pictures: list[tuple[str, list[bytes]]] = []
    for finding in [finding for finding in findings if finding.file in by_file]:
        if len(pictures) == MAX_THUMBNAILS:
            break
        drawn = [*_pair(survey, by_file[finding.file])]
        if finding.other in by_file:  # compare the two photos instead
            drawn = drawn[:1] + [*_pair(survey, by_file[finding.other])][:1]
        if drawn:
            pictures.append((" and ".join(filter(None, (finding.file, finding.other))), drawn))
    return pictures


def _pair(survey: Survey, item: Item) -> Iterator[bytes]:
    """Yield the photo and the mask, if they can be read."""
    for facts, read in ((item.photo, _photo(survey, item)), (item.mask, _mask(survey, item))):
        if facts.fault or not can_be_drawn(facts.header):
            continue
        try:
            yield encode_jpeg(_small(read()), 85)
        except DataError:
            continue


def _photo(survey: Survey, item: Item) -> Drawn:
    read = survey.read
    if survey.photos_are_files or read is None:
        return lambda: read_image(item.photo.path, survey.value_range)
    return lambda: read(item).image


def _mask(survey: Survey, item: Item) -> Drawn:
    read = survey.read_labels
    if survey.masks_are_files or read is None:
        return lambda: _raw(item)
    return lambda: colorize(read(item), survey.palette)


def _raw(item: Item) -> UInt8[np.ndarray, "H W 3"]:
    raw = read_mask(item.mask.path)
    if raw.ndim == 3:
        return np.asarray(raw, np.uint8)
    return colorize(np.minimum(raw, 255).astype(np.uint8), voc_palette(255))


def _small(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width = image.shape[:2]
    factor = _HEIGHT / height
    return scale_image(image, (_HEIGHT, min(4 * _HEIGHT, max(1, round(width * factor)))))
