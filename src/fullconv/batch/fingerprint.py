"""Fingerprints of sets of inputs: 16 hexadecimal digits."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def ids_fingerprint(ids: Iterable[str]) -> str:
    """Return the fingerprint of a set of input ids, in any order."""
    digest = hashlib.sha256()
    for input_id in sorted(ids):
        digest.update(id_bytes(input_id) + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class FileState:
    """What tells whether an input is still the same.

    Attributes:
        bytes: size of the file.
        modified: when it was last changed, in UTC.
    """

    bytes: int
    modified: str


def file_state(path: Path, others: Sequence[Path] = ()) -> FileState:
    """Return the size of a file and of others with it, and when the last of them was changed."""
    found = [part.stat() for part in (path, *others)]
    modified = max(status.st_mtime_ns for status in found)
    return FileState(sum(status.st_size for status in found), str(np.datetime64(modified, "ns")))


def content_digest(path: Path, others: Sequence[Path] = ()) -> str:
    """Return the fingerprint of the bytes of a file and of others with it.

    It is "" for a pipe, whose opening would block.
    """
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    for part in (path, *others):
        with part.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()[:16]


def id_bytes(input_id: str) -> bytes:
    """Return an id as bytes: those of its file name, which need not be UTF-8."""
    try:
        return input_id.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, as JSON can escape it
        return input_id.encode("utf-8", "surrogatepass")
