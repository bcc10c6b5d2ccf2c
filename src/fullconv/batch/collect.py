"""Files made from all predictions of a job: areas.csv, one COCO file, contact sheets."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from fullconv.batch.class_areas import format_csv
from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.writers import Collector, writers
from fullconv.errors import OutputError
from fullconv.io.atomic import replacing
from fullconv.io.storage import Folder, Place

StoredPrediction = tuple[Place, PredictionRecord]
"""A prediction, and the place that has its files."""


def write_collected(
    target: Place, job: JobDescription, predictions: Sequence[StoredPrediction]
) -> None:
    """Write all collected files, and remove those that are no longer needed.

    Args:
        target: the place to write to.
        job: says which kinds and which shard.
        predictions: in the order of the manifest.

    Raises:
        OutputError: a file cannot be written, or a prediction's file is missing.
    """
    for folder, own in job.by_head().items():
        _write_of_head(target, folder, own, predictions)


def _write_of_head(
    target: Place, folder: str, job: JobDescription, predictions: Sequence[StoredPrediction]
) -> None:
    """Write the collected files of a head into its folder: "geometric/", or "" for one head."""
    head = folder.rstrip("/")
    pixels = ((r.id, r.heads.get(head, {}) if head else r.pixels) for _, r in predictions)
    rows = ((name, list(counts.values())) for name, counts in pixels)
    lines = (line.encode("utf-8", "backslashreplace") for line in format_csv(rows, job.classes))
    _write(target, folder + job.file("areas", ".csv"), lines)
    for kind, collector in _collectors(job):
        stored = [
            (record, _reader(place, record.files[folder + kind]))
            for place, record in predictions
            if folder + kind in record.files
        ]
        root = folder + _root(job, collector)
        written = set()
        for name, pieces in collector.make(stored, job):
            _write(target, root + name, pieces)
            written.add(root + name)
        for name in _existing(target, root, collector) - written:
            target.remove(name)


def remove_collected(target: Place, job: JobDescription) -> None:
    """Remove all collected files."""
    for folder, own in job.by_head().items():
        target.remove(folder + own.file("areas", ".csv"))
    for name in existing_collected(target, job):
        target.remove(name)


def existing_collected(
    target: Place, job: JobDescription, skipped: Container[str] = ()
) -> set[str]:
    """Return the files of `target` that have the names of collected files; without areas.csv.

    Args:
        target: the place that is looked at.
        job: says which kinds and which shard.
        skipped: of `collected_paths`: these are not looked at.
    """
    roots = (
        (folder + _root(own, collector), collector)
        for folder, own in job.by_head().items()
        for _, collector in _collectors(own)
    )
    found = (_existing(target, root, one) for root, one in roots if root not in skipped)
    return {name for names in found for name in names}


def area_files(job: JobDescription) -> list[str]:
    """Return areas.csv of each head, or the only one."""
    return [folder + job.file("areas", ".csv") for folder in job.by_head()]


def collected_paths(job: JobDescription) -> list[str]:
    """Return the collected files, and folders with a final slash; without areas.csv."""
    return [
        folder + _root(job, collector)
        for folder in job.by_head()
        for _, collector in _collectors(job)
    ]


def _collectors(job: JobDescription) -> Iterator[tuple[str, Collector]]:
    for kind in job.kinds:
        collector = writers[kind].collector if kind in writers else None
        if collector:
            yield kind, collector


def _root(job: JobDescription, collector: Collector) -> str:
    """Return a collector's file or folder; each shard has its own."""
    path = PurePosixPath(collector.path)
    slash = "/" if collector.path.endswith("/") else ""
    return job.file(path.stem, path.suffix) + slash


def _existing(target: Place, root: str, collector: Collector) -> set[str]:
    if not root.endswith("/"):
        folder, _, name = root.rpartition("/")
        return {root} if name in target.names(folder) else set()
    names = target.names(root[:-1])
    return {root + name for name in names if re.fullmatch(collector.names, name)}


def _reader(place: Place, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        content = place.read(name)
        if content is None:
            raise OutputError(f"{place}/{name} was deleted after it was written; run again")
        return content

    return read


def _write(target: Place, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file; into a folder piece by piece, since it may be larger than the memory."""
    if isinstance(target, Folder):
        with replacing(target.path(name)) as temporary, temporary.open("wb") as file:
            file.writelines(pieces)
    else:
        target.write(name, b"".join(pieces))
