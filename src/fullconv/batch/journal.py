"""An append-only journal of finished inputs, so that a killed job can resume."""

import os
from pathlib import Path

from fullconv.batch.manifest import JobDescription, Record, journal_files, to_json_line
from fullconv.errors import ConfigError
from fullconv.io.atomic import explained
from fullconv.io.locks import try_lock
from fullconv.io.storage import Folder, Place


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
            self._file = _open_locked(place.root / f"{self._stem}.jsonl")

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
                os.write(self._file, content)
                os.fsync(self._file)
        else:
            self._place.write(f"{self._stem}.{self._number:06d}.jsonl", content)
            self._number += 1
        self._waiting.clear()


def _open_locked(path: Path) -> int:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    if not try_lock(file):
        os.close(file)
        raise ConfigError(
            f"another `fullconv predict` is writing to {path.parent}; wait until it has finished, "
            "or choose another folder with --out"
        )
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):  # cut off by a power failure
        os.truncate(path, content.rfind(b"\n") + 1)
    return file
