"""The folder for files that can be made again at any time."""

import os
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
