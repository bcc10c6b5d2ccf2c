"""What is made of all answers together: areas.csv, one COCO file, contact sheets."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from fullconv.batch.class_areas import csv_lines
from fullconv.batch.manifest import Job, PredictionRecord
from fullconv.batch.writers import Collector, writers
from fullconv.errors import OutputError
from fullconv.io.atomic import replacing
from fullconv.io.storage import Folder, Place

Lying = tuple[Place, PredictionRecord]
"""An answer, and the place that its files lie in."""


def write_gathered(target: Place, job: Job, answers: Sequence[Lying]) -> None:
    """Write all of it anew.

    Args:
        target: the place to write to.
        job: whose answers they are: which kinds, and which shard.
        answers: in the order of the manifest.

    Raises:
        OutputError: it cannot be written, or an answer's file is gone.
    """
    rows = ((one.id, list(one.pixels.values())) for _, one in answers)
    lines = (line.encode("utf-8", "backslashreplace") for line in csv_lines(rows, job.classes))
    _write(target, job.file("areas", ".csv"), lines)
    for kind, together in _makers(job):
        kept = [
            (one, _reader(place, one.files[kind])) for place, one in answers if kind in one.files
        ]
        root = _root(job, together)
        written = set()
        for name, pieces in together.make(kept, job.classes, job.palette):
            _write(target, root + name, pieces)
            written.add(root + name)
        for name in _there(target, root) - written:
            target.remove(name)


def remove_gathered(target: Place, job: Job) -> None:
    """Remove all of it."""
    target.remove(job.file("areas", ".csv"))
    for root in roots(job):
        for name in _there(target, root):
            target.remove(name)


def roots(job: Job) -> list[str]:
    """Paths of the files, or of the folders, which end with a slash; without areas.csv."""
    return [_root(job, together) for _, together in _makers(job)]


def _makers(job: Job) -> Iterator[tuple[str, Collector]]:
    for kind in job.kinds:
        together = writers[kind].together if kind in writers else None
        if together:
            yield kind, together


def _root(job: Job, together: Collector) -> str:
    """Where it lies: a shard has files of its own."""
    path = PurePosixPath(together.path)
    slash = "/" if together.path.endswith("/") else ""
    return job.file(path.stem, path.suffix) + slash


def _there(target: Place, root: str) -> set[str]:
    if not root.endswith("/"):
        return {root} & target.names()
    return {root + name for name in target.names(root[:-1]) if re.fullmatch(r"\d+\.\w+", name)}


def _reader(place: Place, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        content = place.read(name)
        if content is None:
            raise OutputError(f"{place}/{name} is gone since it was written; run again")
        return content

    return read


def _write(target: Place, name: str, pieces: Iterable[bytes]) -> None:
    """Put a file; into a folder piece by piece, as it may be larger than the memory."""
    if isinstance(target, Folder):
        with replacing(target.root / name) as temporary, temporary.open("wb") as file:
            file.writelines(pieces)
    else:
        target.write(name, b"".join(pieces))
