"""What is done already, and what is left."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fullconv.batch.collect import remove_gathered
from fullconv.batch.executors import engines
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import (
    FailureRecord,
    Job,
    PredictionRecord,
    Record,
    is_job,
    job_in,
    journals,
    read_job,
    read_records,
    write_records,
)
from fullconv.batch.sharding import named, share
from fullconv.batch.worker import Worker, files_of
from fullconv.errors import ConfigError, DataError
from fullconv.io.storage import Folder, Place, local_path


@dataclass(frozen=True)
class PendingWork:
    """What is to be done, and what was done before.

    Attributes:
        work: how.
        inputs: all of this shard, named.
        records: id -> what is known of it already.
        engine: who does the photos; rasters and videos are done by this process.
        fresh: whether what was begun of an answer and not finished is begun anew.
        others: answers that are there to inputs which are none of these.
    """

    work: Worker
    inputs: tuple[Input, ...]
    records: dict[str, Record]
    engine: str = "local"
    fresh: bool = False
    others: int = 0

    @property
    def left(self) -> list[Input]:
        """The inputs without a record."""
        return [item for item in self.inputs if item.id not in self.records]

    @property
    def target(self) -> Place:
        """Where the answers go."""
        return self.work.target


def plan_resume(
    work: Worker,
    inputs: Sequence[Input],
    *,
    engine: str = "local",
    retry_failed: bool = False,
    fresh: bool = False,
) -> PendingWork:
    """Look at what lies at the place already, and find what is left to do.

    Args:
        work: how; its job says which shard.
        inputs: all of them, over all shards.
        engine: who will do the photos.
        retry_failed: do again what failed before.
        fresh: remove all former answers that the place's manifests name: this shard's, and those of
            other models, options or numbers of shards.

    Raises:
        ConfigError: the place is a file, or holds answers of another model or other options, or
            rasters and videos cannot be answered so.
        UnknownNameError: nobody knows such an engine.
    """
    target, job = work.target, work.job
    _ = engines[engine]
    _refuse_file(target)
    refuse_large(work, inputs, engine)
    make_room(target, job, fresh)
    known = read_records(target, job) if read_job(target, job.shard) else {}
    names = {one.id: one.name for one in known.values() if isinstance(one, PredictionRecord)}
    mine = share(named(inputs, names), job.shard)
    there = _Files(target)
    records = {
        item.id: known[item.id]
        for item in mine
        if item.id in known and _counts(known[item.id], item, work, there, retry_failed)
    }
    others = len(names.keys() - {item.id for item in mine})
    return PendingWork(work, tuple(mine), records, engine, fresh, others)


def _refuse_file(target: Place) -> None:
    if isinstance(target, Folder) and target.root.exists() and not target.root.is_dir():
        raise ConfigError(f"--out {target} is a file; expected a folder, begun or new")


def refuse_large(work: Worker, inputs: Sequence[Input], engine: str) -> None:
    """Refuse what rasters and videos cannot be answered with.

    Raises:
        ConfigError: another engine, a store, or averaging.
    """
    large = next((item for item in inputs if item.medium != "photo"), None)
    raster = next((item for item in inputs if item.medium == "raster"), None)
    if large and engine != "local":
        raise ConfigError(
            f"{large.where}: a {large.medium} is answered by one machine; leave --engine out, and "
            "share the work by --shard"
        )
    if large and not isinstance(work.target, Folder):
        raise ConfigError(
            f"{large.where}: the answer to a {large.medium} is written to a folder of this "
            f"machine; expected one as --out, found {work.out}"
        )
    if raster and work.scales:
        raise ConfigError(
            f"{raster.where}: a raster is answered once and at its own size; leave --tta out"
        )


class _Files:
    """Which files are at a place; each folder is listed once."""

    def __init__(self, target: Place) -> None:
        self._target = target
        self._names: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            self._names[folder] = self._target.names(folder)
        return name in self._names[folder]


def _counts(record: Record, item: Input, work: Worker, there: _Files, retry_failed: bool) -> bool:
    """Whether an input need not be done again."""
    if isinstance(record, FailureRecord):
        return not retry_failed
    own = local_path(item.where)
    changed = own is not None and own.is_file() and own.stat().st_size != record.bytes
    files = files_of(item, work.kinds)
    whole = record.files == files and all(name in there for name in files.values())
    return whole and not changed and record.key == work.job.key(item.id)


def make_room(target: Place, job: Job, fresh: bool) -> None:
    """Remove other jobs' answers, where that is asked for or they came to none.

    Args:
        target: where `job` is to be done.
        job: the new one; other shards of it stay.
        fresh: remove its own former answers, and those of other models, options or numbers of
            shards.

    Raises:
        ConfigError: others' answers would lie among this one's.
        DataError: what lies there cannot be understood.
    """
    for other in _jobs(target, fresh):
        what = _difference(job, other)
        if what and not fresh and not _without_answers(target, other):
            raise ConfigError(
                f"{target} holds the answers of {what}; choose another folder with --out, "
                "or begin anew with --fresh"
            )
        if what or (fresh and other.shard == job.shard):
            remove(target, other)


def remove(target: Place, job: Job) -> None:
    """Remove a shard's answers, all that its manifest and journal name, and these."""
    for answer in _still_known(target, job):
        for name in answer.files.values() if isinstance(answer, PredictionRecord) else ():
            target.remove(name)
    remove_gathered(target, job)
    write_records(target, job, {})
    for name in job.files:
        target.remove(name)


def _jobs(target: Place, fresh: bool) -> Iterator[Job]:
    for name in filter(is_job, sorted(target.names())):
        try:
            yield job_in(target, name)
        except DataError:
            if not fresh:
                raise
            target.remove(name)


def _still_known(target: Place, job: Job) -> Iterable[Record]:
    try:
        return read_records(target, job).values()
    except DataError:  # lists that are damaged name nothing any more
        return ()


def _difference(job: Job, other: Job) -> str:
    """In what another job is another one than this one's shards; "" where it is one of them."""
    if other.model != job.model:
        return f"another model ({other.model}, now {job.model})"
    if other.options != job.options:
        return f"other options ({_told(other.options)}; now {_told(job.options)})"
    if other.shard[1] == job.shard[1]:
        return ""
    if job.shard[1] == 1:
        return f"{other.shard[1]} shards"
    return (
        "all inputs"
        if other.shard[1] == 1
        else f"{other.shard[1]} shards instead of {job.shard[1]}"
    )


def _told(options: dict[str, Any]) -> str:
    def value(one: Any) -> str:
        return ",".join(map(str, one)) if isinstance(one, list) else str(one)

    return ", ".join(f"{key} {value(one)}" for key, one in sorted(options.items()))


def _without_answers(target: Place, job: Job) -> bool:
    """Whether a job came to no answer at all, and is not at work."""
    if journals(target, job):
        return False
    return not any(isinstance(one, PredictionRecord) for one in read_records(target, job).values())
