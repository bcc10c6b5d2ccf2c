"""Temporary files and folders, named after the process that writes them.

A killed process leaves its temporary files behind. Their names say which process that was, so the
next process that writes into the folder removes them, and never those of a running one.
"""

import hashlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path

FOREIGN_SECONDS = 24 * 3600.0
"""Seconds without a change after which another machine's temporary file counts as abandoned."""

_MAX_NAME = 255  # bytes of a file name
_ENDED = -1
_NAME = re.compile(
    r"\.(?P<target>.+)\.(?P<machine>[0-9a-f]{8})(?P<pid>[0-9a-f]{6})(?P<start>[0-9a-f]{8})"
    r"[0-9a-f]{6}\.tmp",
    re.DOTALL,
)
_ANY_NAME = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{8,28}\.tmp", re.DOTALL)
_numbers = count()
_swept: set[str] = set()


def temporary_path(path: Path) -> Path:
    """Return an unused path in `path`'s folder, whose name identifies this process."""
    token = f"{_own_token(os.getpid())}{next(_numbers) % 2**24:06x}"
    room = _MAX_NAME - len(token) - len("...tmp")
    name = os.fsencode(path.name)[:room].decode(errors="ignore")
    return path.parent / f".{name or '_'}.{token}.tmp"


def target_name(name: str) -> str | None:
    """Return the name of the file that a temporary file becomes; None for another file."""
    found = _ANY_NAME.fullmatch(name)
    return found["target"] if found else None


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders directly in `folder` whose processes were killed."""
    for path in _entries(folder):
        found = _NAME.fullmatch(path.name)
        if found and _is_abandoned(path, found):
            _remove(path)


def sweep_once(folder: Path) -> None:
    """Sweep a folder the first time that this process writes into it."""
    key = os.path.abspath(folder)
    if key not in _swept:
        _swept.add(key)
        sweep(folder)


def sweep_tree(folder: Path, locked: bool = False) -> None:
    """Sweep a folder and all folders below it; links are not followed.

    Args:
        folder: the outermost.
        locked: this process holds the folder's lock, so other processes' files are abandoned even
            if it is unknown whether those processes run, as for other machines.
    """
    own = _own_token(os.getpid())
    for root, folders, _ in os.walk(folder):
        for path in _entries(Path(root)):
            found = (_ANY_NAME if locked else _NAME).fullmatch(path.name)
            if found and (f".{own}" not in path.name if locked else _is_abandoned(path, found)):
                _remove(path)
                if path.name in folders:
                    folders.remove(path.name)


def _entries(folder: Path) -> Iterator[Path]:
    with suppress(OSError):  # sweeping is no reason to fail
        yield from map(Path(folder).joinpath, sorted(os.listdir(folder)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _is_abandoned(path: Path, found: re.Match[str]) -> bool:
    pid, start = int(found["pid"], 16), int(found["start"], 16)
    if found["machine"] == _machine() and os.name != "nt":  # os.kill ends processes on Windows
        return _start_time(pid) not in (start, None)
    return time.time() - _last_change(path) > FOREIGN_SECONDS


def _last_change(path: Path) -> float:
    """Return the latest time at which a file, or anything in a folder, was changed."""
    inside = [Path(root) / name for root, _, names in os.walk(path) for name in ("", *names)]
    times = [time.time()] if not os.path.lexists(path) else []
    for each in (path, *inside):
        with suppress(OSError):
            times.append(each.lstat().st_mtime)
    return max(times, default=time.time())


@cache
def _own_token(pid: int) -> str:
    return f"{_machine()}{pid % 2**24:06x}{_start_time(pid) or 0:08x}"


@cache
def _machine() -> str:
    """Identify this machine since it booted, and the namespace that process numbers belong to."""
    facts = [socket.gethostname()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]


def _start_time(pid: int) -> int | None:
    """Return when a process started, in ticks; `_ENDED` if it runs no more, None if unknown."""
    if not os.path.isdir("/proc/self"):
        return None if _exists(pid) else _ENDED
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return _ENDED
    except OSError:
        return None if _exists(pid) else _ENDED
    state, *fields = text.rpartition(")")[2].split()
    return _ENDED if state in "ZX" else int(fields[18]) % 2**32  # Z: killed, but not yet waited for


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
