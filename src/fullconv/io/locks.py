"""Locks on files and folders, which end with their process, even if it is killed.

One rule for all of them: where locks do not exist (Windows, some network file systems), every
process gets its lock, since refusing to work there would be worse than an unlikely collision.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_TAKEN = (errno.EAGAIN, errno.EACCES)  # all other errors mean that there are no locks
_held: dict[Path, int] = {}


def try_lock(handle: int) -> bool:
    """Lock an open file or folder without waiting; False if another process has locked it."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


def hold(folder: Path) -> bool:
    """Lock a folder until this process ends; False if another process has locked it.

    The same process may call it again; processes that it forks hold nothing.
    """
    path = folder.resolve()
    if path in _held:
        return True
    handle = _open_folder(path)
    if handle is None:
        return True
    if not try_lock(handle):
        os.close(handle)
        return False
    _held[path] = handle
    return True


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Wait for a folder's lock and keep it inside the block; yields False if there are no locks."""
    handle = _open_folder(folder)
    try:
        yield handle is not None and _wait_for_lock(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _wait_for_lock(handle: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # some network file systems do not lock folders
        return False
    return fcntl is not None


def _open_folder(folder: Path) -> int | None:
    if os.name == "nt":  # pragma: no cover - Windows cannot open folders
        return None
    return os.open(folder, os.O_RDONLY)


def _release() -> None:
    """Close a forked process's copies of the handles, which would outlive their parent's lock."""
    while _held:
        os.close(_held.popitem()[1])


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_release)
