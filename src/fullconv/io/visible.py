"""Leave out what systems and other programs put into folders, wherever a folder is read."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from fullconv.errors import DataError

_NAMES = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("@eadir", "#recycle", "lost+found"),  # of network storage, and of Linux
    }
)
_ARCHIVES = "__MACOSX"  # where macOS puts a hidden file for each file of an archive


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own: .DS_Store, Thumbs.db."""
    return name.startswith((".", _ARCHIVES)) or name.casefold() in _NAMES


def visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, by name.

    Raises:
        DataError: the folder is missing, or cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not is_hidden(entry.name)]
    except OSError as error:
        raise DataError(
            f"the folder cannot be listed ({error.strerror})",
            remedy=f"chmod -R a+rX {folder}",
            where=folder,
        ) from error
    return sorted(found, key=lambda entry: entry.name)


def visible(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """Yield what matches a pattern below a folder, if neither it nor a folder around it is hidden.

    Args:
        folder: may be missing, or hidden itself.
        pattern: as of `Path.glob`: "*/" for the folders in it, "**/*.png" for all files below it.

    Raises:
        DataError: the folder cannot be listed.
    """
    if not folder.is_dir():
        return
    name = pattern.removesuffix("/")
    if "/" in name:
        for path in folder.glob(pattern):
            if not any(map(is_hidden, path.relative_to(folder).parts)):
                yield path
        return
    for entry in visible_entries(folder):  # several times as fast
        path = folder / entry.name
        if fnmatch(entry.name, name) and (name == pattern or path.is_dir()):
            yield path
