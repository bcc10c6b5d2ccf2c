"""Locks on folders and files; each ends with the process that holds it, whatever kills that."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Keep others out of `folder` meanwhile, after them; gives whether that is possible here."""
    handle = os.open(folder, os.O_RDONLY)
    possible = False
    try:
        if fcntl is not None:
            with suppress(OSError):  # some network file systems lock no folders
                fcntl.flock(handle, fcntl.LOCK_EX)
                possible = True
        yield possible
    finally:
        os.close(handle)


def hold(folder: Path) -> bool:
    """Keep other processes out of `folder` until this one ends; False where one is in there.

    The same process may hold it again; processes that it forks hold nothing. Where the file system
    knows no locks, everybody holds everything.
    """
    path = folder.resolve()
    if path in _held:
        return True
    handle = os.open(path, os.O_RDONLY)
    if not claim(handle):
        os.close(handle)
        return False
    _held[path] = handle
    return True


def claim(handle: int) -> bool:
    """Lock an open file or folder, without waiting; False where another process has it."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks here
            return True
    return True


_held: dict[Path, int] = {}


def _let_go() -> None:
    """A forked process has a copy of each handle, which would outlive its parent's lock."""
    while _held:
        os.close(_held.popitem()[1])


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_let_go)
