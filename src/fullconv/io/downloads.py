"""Download files that are known beforehand: their size and their SHA-256 are pinned."""

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.request import urlopen

from fullconv.errors import WeightsError
from fullconv.io.atomic import replacing

TIMEOUT = 30  # seconds without data
_BLOCK = 1 << 20  # bytes


def offline() -> bool:
    """Return whether HF_HUB_OFFLINE, the setting of Hugging Face's tools, forbids downloads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def download(address: str, path: Path, size: int, sha256: str) -> None:
    """Download a file, which gets its name only if it is the expected one.

    Args:
        address: of the file.
        path: where it is put.
        size: bytes that it has; what is longer is not read to its end.
        sha256: of the file, in hexadecimal.

    Raises:
        WeightsError: it cannot be downloaded, or is another file.
        OutputError: the folder cannot be written.
    """
    elsewhere = f"download {address} elsewhere, and put it at {path}"
    if offline():
        raise WeightsError(
            f"{address} is not on this machine, and HF_HUB_OFFLINE forbids downloads: unset it, or "
            f"{elsewhere}"
        )
    try:
        response = urlopen(address, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:
        raise WeightsError(f"{address} cannot be reached ({error}); {elsewhere}") from error
    with response, replacing(path, size) as temporary, open(temporary, "wb") as file:
        try:
            found = _copy(response, file, size)
        except (OSError, HTTPException) as error:
            raise WeightsError(f"{address}: the download broke off; {elsewhere}") from error
        if found != sha256:
            raise WeightsError(
                f"{address} is not the file that this version of fullconv expects: its SHA-256 "
                f"begins with {found[:12]} instead of {sha256[:12]}; nothing was kept"
            )


def _copy(response: BinaryIO, file: BinaryIO, size: int) -> str:
    """Copy at most one byte more than `size`; return the SHA-256 of what was copied."""
    digest, left = hashlib.sha256(), size + 1
    while left and (block := response.read(min(left, _BLOCK))):
        digest.update(block)
        file.write(block)
        left -= len(block)
    return digest.hexdigest()
