"""Open ordinary files only: opening a pipe without a writer waits forever, a device may never end.

Every file that a user names, or that another file names, is opened here or by a library after
`check_regular`.
"""

import errno
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open an ordinary file for reading.

    Raises:
        OSError: it is a pipe, a socket or a device, or cannot be opened.
    """
    check_regular(path)
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Read an ordinary file.

    Raises:
        OSError: it is a pipe, a socket or a device, or cannot be read.
    """
    with open_regular(path) as file:
        return file.read()


def check_regular(path: Path) -> None:
    """Check that a path is not a pipe, a socket or a device; links to ordinary files are fine.

    Raises:
        OSError: it is one, or a folder, or does not exist.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder; expected a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENXIO, "it is a pipe or a device; expected a file", str(path))
