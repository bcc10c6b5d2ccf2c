"""What one photo and its mask hold, each file read and decoded once."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.colors import Color
from fullconv.errors import DataError
from fullconv.formats import Pair
from fullconv.images import Header, glance, read_header, read_mask

Value = int | Color
SMALL = (64, 72)  # (height, width) of the grey picture: 8 x 9 blocks, from which 64 bits follow
MOST_VALUES = 1024  # kept of one mask: more than that are no classes
FRINGED = 0.3  # share of edges that makes a mask an interpolated one; CamVid's stay below 0.06
_FRINGE_ROWS = 4  # every fourth row tells as much as all of them


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read: a code, and what the reader says; "" is what the code says."""

    code: str
    found: str
    expected: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class PhotoFacts:
    """One photo.

    Attributes:
        path: the file; for data sets that are not made of pictures, the sample's name.
        header: what its first bytes say; None where it cannot be read.
        digest: equal for equal files.
        grey: a small grey picture of it, `SMALL`.
        opaque: share of its pixels that are not transparent, in [0, 1].
        fault: why it cannot be read.
    """

    path: Path
    header: Header | None = None
    digest: bytes = b""
    grey: UInt8[np.ndarray, "64 72"] | None = None
    opaque: float = 1.0
    fault: Fault | None = None


@dataclass(frozen=True)
class MaskFacts:
    """One mask.

    Attributes:
        path: the file.
        header: what its first bytes say; None where it cannot be read.
        counts: pixels of each raw value, or of each colour.
        fringe: of the edges between values, the share that passes through values between them.
        fault: why it cannot be read.
    """

    path: Path
    header: Header | None = None
    counts: Mapping[Value, int] = field(default_factory=dict)
    fringe: float = 0.0
    fault: Fault | None = None

    def as_numbers(self) -> "MaskFacts":
        """The same, where its colours are all grey and stand for numbers."""
        if not all(isinstance(value, tuple) and len({*value}) == 1 for value in self.counts):
            return self
        counts = self.counts.items()
        return replace(self, counts={v[0]: n for v, n in counts if isinstance(v, tuple)})

    @property
    def colored(self) -> bool:
        """Whether it shows its classes as colours."""
        return any(isinstance(value, tuple) for value in self.counts)


def scan(pair: Pair) -> tuple[PhotoFacts, MaskFacts]:
    """The facts of both files; what cannot be read is a fact, too."""
    photo = scan_photo(pair.photo)
    return photo, scan_mask(pair.mask, photo.header)


def scan_photo(path: Path) -> PhotoFacts:
    """The facts of one photo."""
    if found := fault_of(path):
        return PhotoFacts(path, fault=found)
    try:
        header, grey, opaque = glance(path, SMALL)
    except DataError as error:
        return PhotoFacts(path, header=_header(path), fault=_fault(error, path))
    digest = blake2b(path.read_bytes(), digest_size=16).digest()
    return PhotoFacts(path, header, digest, grey, opaque)


def scan_mask(path: Path, photo: Header | None) -> MaskFacts:
    """The facts of one mask; `photo` is its photo's header."""
    if found := fault_of(path):
        return MaskFacts(path, fault=found)
    header = _header(path)
    try:
        raw = read_mask(path, photo)
    except DataError as error:
        return MaskFacts(path, header=header, fault=_fault(error, path))
    grey = raw if raw.ndim == 2 else raw[..., 0] if (raw == raw[..., :1]).all() else None
    return MaskFacts(path, header, count(raw), 0.0 if grey is None else fringe(grey))


def is_jpeg(header: Header | None) -> bool:
    """Whether a file is a JPEG, whatever it is called."""
    return header is not None and header.format == "JPEG"


def fault_of(path: Path) -> Fault | None:
    """What keeps a file from being opened at all."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        target = f"a link to {os.readlink(path)}, which" if path.is_symlink() else "the file"
        return Fault("broken-link" if path.is_symlink() else "missing", f"{target} is not there")
    except OSError as error:  # a loop of links, or a folder that may not be entered
        code = "broken-link" if path.is_symlink() else "unreadable"
        return Fault(code, f"cannot be reached: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Fault("unreadable", "no file")
    if not os.access(path, os.R_OK):
        return Fault("unreadable", "the file may not be read (its permissions)")
    return Fault("empty-file", "0 bytes") if status.st_size == 0 else None


def count(raw: Integer[np.ndarray, "H W *channels"]) -> dict[Value, int]:
    """Pixels of each value or colour, the most frequent `MOST_VALUES`."""
    if raw.dtype == np.uint8 and raw.ndim == 2:
        numbers = np.bincount(raw.ravel(), minlength=256)
        return {value: int(numbers[value]) for value in np.flatnonzero(numbers).tolist()}
    packed = raw if raw.ndim == 2 else raw.astype(np.int64) @ np.array([65536, 256, 1])
    values, numbers = np.unique(packed, return_counts=True)
    largest = np.sort(np.argsort(-numbers, kind="stable")[:MOST_VALUES])
    pairs = zip(values[largest].tolist(), numbers[largest].tolist(), strict=True)
    if raw.ndim == 2:
        return {int(value): int(number) for value, number in pairs}
    return {(v >> 16, v >> 8 & 255, v & 255): int(number) for v, number in pairs}


def fringe(raw: Integer[np.ndarray, "H W"]) -> float:
    """The share of edges that pass through values between those of their two sides, in [0, 1].

    Interpolation makes nearly every edge do so; in a drawn mask it is a chance.
    """
    rows = raw[::_FRINGE_ROWS].astype(np.int32)
    if rows.shape[1] < 4:
        return 0.0
    before, here, after = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    between = (np.minimum(before, after) < here) & (here < np.maximum(before, after))
    sharp = np.abs(before - here) > 1
    sharp &= here == after
    soft, hard = int(between.sum()), int(sharp.sum())
    return soft / (soft + hard) if soft + hard >= 20 else 0.0


def _header(path: Path) -> Header | None:
    try:
        return read_header(path)
    except DataError:
        return None


def _fault(error: DataError, path: Path) -> Fault:
    sentence = str(error).removeprefix(f"{path}: ")
    code = "too-large" if "million pixels" in sentence else "damaged"
    return Fault(code, sentence.partition("; ")[0])
