"""Leave out what systems, other programs and fullconv's own runs put into folders."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from fullconv.errors import DataError
from fullconv.io.atomic import write_text

_NAMES = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("@eadir", "#recycle", "lost+found"),  # of network storage, and of Linux
    }
)
RESULTS = ".fullconv"  # a file in each folder of results, whose pictures and tables are no data
_ARCHIVES = "__MACOSX"  # where macOS puts a hidden file for each file of an archive


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own: .DS_Store, Thumbs.db."""
    return name.startswith((".", _ARCHIVES)) or name.casefold() in _NAMES


def mark_results(folder: Path) -> None:
    """Mark a folder of fullconv's own, which is left out where a folder around it is read.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(folder / RESULTS, "Results of fullconv; not part of a data set.\n")


def has_results(folder: str | Path) -> bool:
    """Return whether a folder is marked as one of fullconv's own; False if it is missing."""
    return os.path.lexists(os.path.join(folder, RESULTS))


def visible_entries(folder: Path, *, results: bool = False) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, by name.

    Args:
        folder: may be hidden itself, or of a run.
        results: whether folders of results of fullconv are returned too.

    Raises:
        DataError: the folder is missing, or cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not is_hidden(entry.name)]
            found = [entry for entry in found if results or not _are_results(entry)]
    except OSError as error:
        raise DataError(
            f"the folder cannot be listed ({error.strerror})",
            remedy=f"chmod -R a+rX {folder}",
            where=folder,
        ) from error
    return sorted(found, key=lambda entry: entry.name)


def visible(folder: Path, pattern: str = "*", *, results: bool = False) -> Iterator[Path]:
    """Yield what matches a pattern below a folder, if neither it nor a folder around it is hidden.

    Args:
        folder: may be missing, or hidden itself, or of a run.
        pattern: as of `Path.glob`: "*/" for the folders in it, "**/*.png" for all files below it.
        results: whether folders of results of fullconv, and what is in them, are yielded too.

    Raises:
        DataError: the folder cannot be listed.
    """
    if not folder.is_dir():
        return
    name = pattern.removesuffix("/")
    if "/" in name:
        are_results = cache(has_results)
        for path in folder.glob(pattern):
            inside = path.relative_to(folder)
            places = () if results else (path, *(folder / one for one in [*inside.parents][:-1]))
            if not any(map(is_hidden, inside.parts)) and not any(map(are_results, places)):
                yield path
        return
    for entry in visible_entries(folder, results=results):  # several times as fast
        path = folder / entry.name
        if fnmatch(entry.name, name) and (name == pattern or path.is_dir()):
            yield path


def _are_results(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and has_results(entry.path)
    except OSError:  # a link to itself
        return False
