"""Records, taken down as they become true: what a kill leaves of a job."""

import os
from pathlib import Path

from fullconv.batch.manifest import Job, Record, journals, line_of
from fullconv.errors import ConfigError
from fullconv.io.atomic import explained
from fullconv.io.locks import claim
from fullconv.io.storage import Folder, Place


class Journal:
    """Takes down each record as soon as it is true; nobody else writes here meanwhile.

    In a folder, each record is one write to the end of one file, and is on the disk before the
    next; half a line at its end, after a power cut, counts as none. A store knows no appending:
    there, every `EVERY` records become an object.

    Raises:
        ConfigError: another process has the folder's journal open.
    """

    EVERY = 32

    def __init__(self, place: Place, job: Job) -> None:
        self._place = place
        self._stem = job.file("journal", "")
        self._waiting: list[Record] = []
        self._number = len(journals(place, job))
        self._file = -1
        if isinstance(place, Folder):
            self._file = _locked(place.root / f"{self._stem}.jsonl")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        if self._file >= 0:
            os.close(self._file)

    def add(self, record: Record) -> None:
        """Take down one record."""
        self._waiting.append(record)
        if self._file >= 0 or len(self._waiting) >= self.EVERY:
            self.flush()

    def flush(self) -> None:
        """Let all records be where they outlive this process."""
        content = b"".join(map(line_of, self._waiting))
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


def _locked(path: Path) -> int:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    if not claim(file):
        os.close(file)
        raise ConfigError(
            f"another `fullconv predict` is writing to {path.parent}; wait until it is done, "
            "or choose another folder with --out"
        )
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):  # a power cut in the middle of a line
        os.truncate(path, content.rfind(b"\n") + 1)
    return file
