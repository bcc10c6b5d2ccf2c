"""The folder for files that can be made again at any time."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fullconv.errors import OutputError

VARIABLE = "FULLCONV_CACHE"


def cache_folder(*names: str) -> Path:
    """Return a folder of the cache: below FULLCONV_CACHE, else XDG_CACHE_HOME or ~/.cache.

    Raises:
        OutputError: this user has no home folder.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen, *names)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise OutputError(f"no cache: this user has no home folder; set {VARIABLE}") from error
    return Path(base, "fullconv", *names)


def cached_files(name: str, pattern: str) -> list[Path]:
    """Return the files in a part of the cache that fullconv wrote there.

    FULLCONV_CACHE may be a folder with other things, such as models of the user's in models/.

    Args:
        name: of the part.
        pattern: regular expression of the files' paths within it, with slashes.

    Raises:
        OutputError: this user has no home folder.
    """
    folder = cache_folder(name)
    found = (Path(root, file) for root, _, files in os.walk(folder) for file in files)
    return sorted(f for f in found if re.fullmatch(pattern, f.relative_to(folder).as_posix()))


def total_bytes(files: Iterable[Path]) -> int:
    """Return the bytes of files; those that another process has removed meanwhile take none."""
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size
    return total


def clear_cached(name: str, pattern: str) -> int:
    """Remove the `cached_files` of a part, and folders that are empty then; return their bytes.

    Raises:
        OutputError: this user has no home folder.
    """
    folder, files = cache_folder(name), cached_files(name, pattern)
    freed = total_bytes(files)
    for file in files:
        with suppress(OSError):
            file.unlink()
            for parent in file.relative_to(folder.parent).parents[:-1]:
                (folder.parent / parent).rmdir()
    return freed - total_bytes(files)
