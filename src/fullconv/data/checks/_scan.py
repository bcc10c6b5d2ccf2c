"""What one photo and its mask hold, each file read and decoded once."""

import multiprocessing
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError, LabelError
from fullconv.hardware import usable_cores
from fullconv.io.images import Header, glance, read_header, read_mask, scale_image
from fullconv.io.palettes import Color

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
        return PhotoFacts(path, header=_header(path), fault=_fault(error))
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
        return MaskFacts(path, header=header, fault=_fault(error))
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


def _fault(error: DataError) -> Fault:
    return Fault(error.code or "damaged", error.found, error.expected, error.remedy)


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
    code = error.code if isinstance(error, LabelError) else "labels-refused"
    found = error.problem.removeprefix(f"{where}: ")
    fault = Fault(code, found, error.expected, error.remedy)
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


Result = TypeVar("Result")

FEW = 64  # pairs for which processes would cost more than they bring
_CHUNK = 8

_work: list[Callable[[Pair], Any]] = []  # of a process that was forked to do it


def over(
    work: Callable[[Pair], Result], pairs: Sequence[Pair], workers: int | None, python: bool
) -> Iterator[Result]:
    """What `work` says of each pair, in their order.

    Decoding pictures leaves Python's lock, so that threads do it on all cores. Painting shapes does
    not: that takes processes, which are forked, since what reads a data set cannot be sent to them.

    Args:
        work: its exceptions are raised here.
        pairs: what it is asked about.
        workers: threads or processes; None is one a core, at most 8.
        python: whether `work` is mostly Python and not decoding.
    """
    count = workers or min(8, usable_cores())
    if python and count > 1 and len(pairs) >= FEW and sys.platform == "linux":
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(count, fork, _work.append, (work,)) as processes:
            yield from processes.map(_do, pairs, chunksize=_CHUNK)
    else:
        with ThreadPoolExecutor(count) as threads:
            yield from threads.map(work, pairs)


def _do(pair: Pair) -> Any:
    return _work[-1](pair)
