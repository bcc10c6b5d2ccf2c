"""Read and decode each photo and mask once, and describe their content."""

import os
import stat
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.labels.indexed import shown_colors, used_values
from fullconv.data.sample import Pair, Sample
from fullconv.data.survey.edges import (
    MAX_FRINGE,
    Steps,
    count_steps,
    fringe,
    is_inner,
    outlined_fringe,
)
from fullconv.errors import DataError, LabelError
from fullconv.io.images import (
    Header,
    read_header,
    read_stored_mask,
    read_thumbnail,
    scale_image,
)
from fullconv.io.palettes import Color

Value = int | Color
SMALL = (64, 72)  # (height, width) of the grey thumbnail: 8 x 9 blocks give a hash of 64 bits
MAX_VALUES = 1024  # kept per mask: so many values are not classes


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read; empty texts default to those of the code."""

    code: str
    found: str
    expected: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class PhotoFacts:
    """Description of a photo.

    Attributes:
        path: the file; in data sets that do not consist of image files, the sample's name.
        header: image header; None if it cannot be read.
        digest: hash of the file's bytes.
        grey: grey thumbnail of size `SMALL`.
        opaque: share of the pixels that are not transparent, in [0, 1].
        fault: why the file cannot be read.
    """

    path: Path
    header: Header | None = None
    digest: bytes = b""
    grey: UInt8[np.ndarray, "64 72"] | None = None
    opaque: float = 1.0
    fault: Fault | None = None


@dataclass(frozen=True)
class MaskFacts:
    """Description of a mask.

    Attributes:
        path: the file.
        header: image header; None if it cannot be read.
        counts: pixels of each raw value or colour.
        fringe: share of the edges that pass through intermediate values; see `fringe`.
        steps: its edges, if they look like interpolation; else None.
        inner: pixels of each raw value whose eight neighbours have it too; {} for colours.
        fault: why the file cannot be read.
        shown: colour of each value in the file's palette; {} without a palette.
    """

    path: Path
    header: Header | None = None
    counts: Mapping[Value, int] = field(default_factory=dict)
    fringe: float = 0.0
    steps: Steps | None = None
    inner: Mapping[Value, int] = field(default_factory=dict)
    fault: Fault | None = None
    shown: Mapping[int, Color | None] = field(default_factory=dict)

    def as_numbers(self) -> "MaskFacts":
        """Return the mask with grey colours as the numbers they encode, if all colours are grey."""
        if not all(isinstance(value, tuple) and len({*value}) == 1 for value in self.counts):
            return self
        counts = self.counts.items()
        return replace(self, counts={v[0]: n for v, n in counts if isinstance(v, tuple)})

    def by_palette(self) -> "MaskFacts":
        """Return the mask with the colours of its palette in place of the values."""
        counts: dict[Value, int] = {}
        for value, number in self.counts.items():
            shown = self.shown.get(value) if isinstance(value, int) else None
            counts[shown or value] = counts.get(shown or value, 0) + number
        return replace(self, counts=counts)

    def is_interpolated(self, thin: Set[int]) -> bool:
        """Return whether the edges show that the mask was resampled with interpolation.

        Args:
            thin: values of classes that are thin in all masks, so that they may be outlines.
        """
        if self.steps is None or self.colored:
            return False
        return outlined_fringe(self.steps, thin) > MAX_FRINGE

    @property
    def colored(self) -> bool:
        """Whether classes are encoded as colours."""
        return any(isinstance(value, tuple) for value in self.counts)


def scan(pair: Pair) -> tuple[PhotoFacts, MaskFacts]:
    """Describe a photo and its mask; files that cannot be read have a `fault`."""
    photo = scan_photo(pair.photo)
    return photo, scan_mask(pair.mask, photo.header)


def scan_photo(path: Path) -> PhotoFacts:
    """Describe a photo."""
    if fault := find_fault(path):
        return PhotoFacts(path, fault=fault)
    try:
        header, grey, opaque = read_thumbnail(path, SMALL)
    except DataError as error:
        return PhotoFacts(path, header=_header(path), fault=_fault(error))
    digest = blake2b(path.read_bytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, grey, opaque)


def scan_mask(path: Path, photo: Header | None) -> MaskFacts:
    """Describe a mask; `photo` is the header of its photo."""
    if fault := find_fault(path):
        return MaskFacts(path, fault=fault)
    header = _header(path)
    try:
        stored = read_stored_mask(path, photo)
    except DataError as error:
        return MaskFacts(path, header=header, fault=_fault(error))
    raw = stored.values
    grey = raw if raw.ndim == 2 else raw[..., 0] if (raw == raw[..., :1]).all() else None
    soft = 0.0 if grey is None else fringe(grey)
    steps = None if grey is None or soft <= MAX_FRINGE else count_steps(grey)
    inner = {} if grey is None else count_values(grey[1:-1, 1:-1][is_inner(grey)][None])
    shown = shown_colors(used_values(raw), stored.palette) if stored.palette else {}
    return MaskFacts(path, header, count_values(raw), soft, steps, inner, shown=shown)


def is_jpeg(header: Header | None) -> bool:
    """Return whether a file is a JPEG, regardless of its suffix."""
    return header is not None and header.format == "JPEG"


def find_fault(path: Path) -> Fault | None:
    """Return why a file cannot be opened at all; None if it can."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if path.is_symlink():
            return Fault("broken-link", f"a link to {os.readlink(path)}, which does not exist")
        return Fault("missing", "the file does not exist")
    except OSError as error:  # a loop of links, or a folder without permission
        code = "broken-link" if path.is_symlink() else "unreadable"
        return Fault(code, f"cannot be reached: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Fault("unreadable", "not a regular file")
    if not os.access(path, os.R_OK):
        return Fault("unreadable", "no permission to read the file")
    return Fault("empty-file", "0 bytes") if status.st_size == 0 else None


def count_values(raw: Integer[np.ndarray, "H W *channels"]) -> dict[Value, int]:
    """Count the pixels of the `MAX_VALUES` most frequent values or colours."""
    if raw.dtype == np.uint8 and raw.ndim == 2:
        numbers = np.bincount(raw.ravel(), minlength=256)
        return {value: int(numbers[value]) for value in np.flatnonzero(numbers).tolist()}
    packed = raw if raw.ndim == 2 else raw.astype(np.int64) @ np.array([65536, 256, 1])
    values, numbers = np.unique(packed, return_counts=True)
    largest = np.sort(np.argsort(-numbers, kind="stable")[:MAX_VALUES])
    pairs = zip(values[largest].tolist(), numbers[largest].tolist(), strict=True)
    if raw.ndim == 2:
        return {int(value): int(number) for value, number in pairs}
    return {(v >> 16, v >> 8 & 255, v & 255): int(number) for v, number in pairs}


def _header(path: Path) -> Header | None:
    try:
        return read_header(path)
    except DataError:
        return None


def _fault(error: DataError) -> Fault:
    return Fault(error.code or "damaged", error.found, error.expected, error.remedy)


def scan_sample(
    pair: Pair, read: Callable[[Pair], Sample], files: bool, shared: bool
) -> tuple[PhotoFacts, MaskFacts]:
    """Describe a sample whose labels are drawn by the format.

    Args:
        pair: photo and annotation file.
        read: reads the sample.
        files: whether photos are image files.
        shared: whether the annotation file is also that of other photos.
    """
    where = pair.photo if shared else pair.mask
    if files and (fault := find_fault(pair.photo)):
        return PhotoFacts(pair.photo, fault=fault), MaskFacts(where)
    if files and not shared and (fault := _find_label_fault(pair.mask)):
        return scan_photo(pair.photo), MaskFacts(where, fault=fault)
    try:
        sample = read(pair)
    except DataError as error:
        return _refused(pair, error, files, where)
    size = (sample.labels.shape[0], sample.labels.shape[1])
    header = Header(size, size, "RGB", "", 1, 1)
    photo = _of_file(pair.photo, sample) if files else _of_array(pair.photo, sample.image, header)
    return photo, MaskFacts(where, replace(header, mode="L"), count_values(sample.labels))


def _find_label_fault(path: Path) -> Fault | None:
    """Return why existing labels cannot be read; missing and empty files are valid labels."""
    fault = find_fault(path)
    return fault if fault and fault.code in ("broken-link", "unreadable") else None


def _refused(
    pair: Pair, error: DataError, files: bool, where: Path
) -> tuple[PhotoFacts, MaskFacts]:
    photo = scan_photo(pair.photo) if files else PhotoFacts(pair.photo)
    if photo.fault:  # then the labels could not be read either
        return photo, MaskFacts(where)
    code = error.code if isinstance(error, LabelError) else "labels-refused"
    found = error.problem.removeprefix(f"{where}: ")
    fault = Fault(code, found, error.expected, error.remedy)
    return photo, MaskFacts(where, fault=fault)


def _of_file(path: Path, sample: Sample) -> PhotoFacts:
    header = read_header(path)
    if header.orientation > 1 or header.mode not in ("RGB", "L") or header.deep:
        return scan_photo(
            path
        )  # thumbnails are not rotated, and the photo may have an alpha channel
    digest = blake2b(path.read_bytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, _grey(sample.image))


def _of_array(path: Path, image: UInt8[np.ndarray, "H W 3"], header: Header) -> PhotoFacts:
    digest = blake2b(image.tobytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, _grey(image))


def _grey(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "64 72"]:
    small: UInt8[np.ndarray, "64 72"] = scale_image(image, SMALL).mean(2).astype(np.uint8)
    return small
