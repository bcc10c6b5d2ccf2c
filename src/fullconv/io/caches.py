"""The folder for files that can be made again at any time."""

import os
import shutil
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


def cached_bytes(name: str) -> int:
    """Return the bytes of all files in a part of the cache; 0 without it.

    Raises:
        OutputError: this user has no home folder.
    """
    files = (path for path in cache_folder(name).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def clear_cached(name: str) -> int:
    """Remove a part of the cache; return the bytes that it took.

    Raises:
        OutputError: this user has no home folder.
    """
    before = cached_bytes(name)
    shutil.rmtree(cache_folder(name), ignore_errors=True)
    return before - cached_bytes(name)
