"""What a sample holds whose labels are no picture: shapes, tables, drawn scenes, rasters."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.checks._finding import parted
from fullconv.checks._scan import (
    SMALL,
    Fault,
    MaskFacts,
    PhotoFacts,
    count,
    fault_of,
    scan_photo,
)
from fullconv.errors import DataError, LabelError
from fullconv.formats import Pair
from fullconv.images import Header, read_header, scale_image
from fullconv.sample import Sample


def scan_sample(
    pair: Pair, read: Callable[[Pair], Sample], files: bool, shared: bool
) -> tuple[PhotoFacts, MaskFacts]:
    """The facts of a sample; what cannot be read is a fact, too.

    Args:
        pair: its files.
        read: gives the sample.
        files: whether its photo is a picture file.
        shared: whether its annotation is that of other photos, too.
    """
    where = pair.photo if shared else pair.mask
    if files and (found := fault_of(pair.photo)):
        return PhotoFacts(pair.photo, fault=found), MaskFacts(where)
    if files and not shared and (found := _fault_of_labels(pair.mask)):
        return scan_photo(pair.photo), MaskFacts(where, fault=found)
    try:
        sample = read(pair)
    except DataError as error:
        return _refused(pair, error, files, where)
    size = (sample.labels.shape[0], sample.labels.shape[1])
    header = Header(size, size, "RGB", "", 1, 1)
    photo = _of_file(pair.photo, sample) if files else _of_array(pair.photo, sample.image, header)
    return photo, MaskFacts(where, replace(header, mode="L"), count(sample.labels))


def _fault_of_labels(path: Path) -> Fault | None:
    """Why labels that are there cannot be reached; none and empty ones mean something."""
    found = fault_of(path)
    return found if found and found.code in ("broken-link", "unreadable") else None


def _refused(
    pair: Pair, error: DataError, files: bool, where: Path
) -> tuple[PhotoFacts, MaskFacts]:
    photo = scan_photo(pair.photo) if files else PhotoFacts(pair.photo)
    if photo.fault:  # then nothing is known of the labels
        return photo, MaskFacts(where)
    found, expected, remedy = parted(str(error))
    code = "value-outside" if isinstance(error, LabelError) else "labels-refused"
    fault = Fault(code, found.removeprefix(f"{where}: "), expected, remedy)
    return photo, MaskFacts(where, fault=fault)


def _of_file(path: Path, sample: Sample) -> PhotoFacts:
    header = read_header(path)
    if header.orientation > 1 or header.mode not in ("RGB", "L"):
        return scan_photo(path)  # its grey picture is as stored, and it may have an alpha channel
    digest = blake2b(path.read_bytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, _grey(sample.image))


def _of_array(path: Path, image: UInt8[np.ndarray, "H W 3"], header: Header) -> PhotoFacts:
    digest = blake2b(image.tobytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, _grey(image))


def _grey(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "64 72"]:
    small: UInt8[np.ndarray, "64 72"] = scale_image(image, SMALL).mean(2).astype(np.uint8)
    return small
