"""An append-only journal of finished inputs, so that a killed job can resume."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fullconv.batch.manifest import JobDescription, Record, journal_files, to_json_line
from fullconv.errors import ConfigError, DataError
from fullconv.io.atomic import explained
from fullconv.io.contained import contained
from fullconv.io.locks import try_lock
from fullconv.io.storage import Folder, Place
from fullconv.io.visible import mark_results


class Journal:
    """Append each record as soon as its files are written; locks the shard meanwhile.

    In a folder, each record is one write to the end of one file and is synced to disk before the
    next; an incomplete last line, after a power failure, is dropped. An object store cannot append:
    there, every `EVERY` records become an object, and nothing is locked.

    Raises:
        ConfigError: another process has the journal open.
    """

    EVERY = 32

    def __init__(self, place: Place, job: JobDescription) -> None:
        self._place = place
        self._stem = job.file("journal", "")
        self._waiting: list[Record] = []
        self._number = len(journal_files(place, job))
        self._file = -1
        if isinstance(place, Folder):
            self._file = _open_locked(place.root, f"{self._stem}.jsonl")
            _drop_incomplete_line(self._file)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        if self._file >= 0:
            os.close(self._file)

    def add(self, record: Record) -> None:
        """Append one record."""
        self._waiting.append(record)
        if self._file >= 0 or len(self._waiting) >= self.EVERY:
            self.flush()

    def flush(self) -> None:
        """Write all records to where they survive this process."""
        content = b"".join(map(to_json_line, self._waiting))
        if not content:
            return
        if self._file >= 0:
            with explained(Path(f"{self._place}/{self._stem}.jsonl")):
                _append(self._file, content)
        else:
            self._place.write(f"{self._stem}.{self._number:06d}.jsonl", content)
            self._number += 1
        self._waiting.clear()


@contextmanager
def claimed(place: Place, journals: Iterable[str]) -> Iterator[None]:
    """Lock journals inside the block, so that no process is at work on their shards.

    Those that are not there yet are removed afterwards. Nothing is locked in an object store.

    Args:
        place: the output folder.
        journals: their names.

    Raises:
        ConfigError: a process is at work on one of the shards; none is locked then.
    """
    with ExitStack() as stack:
        for name in sorted(set(journals)):
            if isinstance(place, Folder) and place.root.is_dir():
                stack.callback(_release, place.root / name, _open_locked(place.root, name))
        yield


def is_at_work(place: Place, name: str) -> bool:
    """Whether a process is at work on the shard of this journal; changes nothing."""
    if not isinstance(place, Folder) or name not in place.names():
        return False
    try:
        os.close(_open_locked(place.root, name, create=False))
    except ConfigError:
        return True
    except FileNotFoundError:  # it has finished just now
        pass
    return False


def _append(file: int, content: bytes) -> None:
    """Write to the end of a file, all or nothing, and sync it to disk.

    Raises:
        OSError: the disk is full, or fails.
    """
    before = os.fstat(file).st_size
    try:
        if os.write(file, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, before)
        raise


def _release(path: Path, file: int) -> None:
    if _is_at(path, file) and os.fstat(file).st_size == 0:
        path.unlink()
    os.close(file)


def _open_locked(folder: Path, name: str, create: bool = True) -> int:
    """Open a journal and lock it; creates it and its folder if needed."""
    path = contained(folder, name)
    mode = (os.O_CREAT | os.O_RDWR) if create else os.O_RDONLY
    # Neither follow a link, nor wait for the other end of a pipe.
    mode |= os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        with explained(path):
            if create and not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                mark_results(path.parent)
            file = os.open(path, mode, 0o666)
        try:
            _check_own_file(path, file)
            if not try_lock(file):
                raise ConfigError(
                    f"another `fullconv predict` is writing to {path.parent}; wait until it has "
                    "finished, or choose another folder with --out"
                )
        except BaseException:
            os.close(file)
            raise
        if _is_at(path, file):
            return file
        os.close(file)  # its process has removed it, so other processes would not see the lock


def _check_own_file(path: Path, file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        found = "a link" if stat.S_ISREG(status.st_mode) else "no ordinary file"
        raise DataError(
            f"is {found}",
            "a file of its own, which lines can be appended to",
            "remove it, or choose another folder with --out",
            where=path,
        )


def _is_at(path: Path, file: int) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except FileNotFoundError:
        return False


def _drop_incomplete_line(file: int) -> None:
    """Cut off a last line that a power failure has left without its end."""
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as stream:
        content = stream.read()
    if content and not content.endswith(b"\n"):
        os.ftruncate(file, content.rfind(b"\n") + 1)
