"""Many photos: each is answered once, whatever is killed in between, and every answer is found."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from fullconv.answering import Answering, areas, file_name
from fullconv.engines import engines
from fullconv.errors import ConfigError
from fullconv.inputs import Input
from fullconv.journal import Journal
from fullconv.manifest import (
    Answer,
    Failure,
    Job,
    Record,
    read_job,
    read_jobs,
    read_records,
    write_job,
    write_records,
)
from fullconv.naming import named, share
from fullconv.storage import Folder, Place, local_path


@dataclass(frozen=True)
class Todo:
    """What is to be done, and what was done before.

    Attributes:
        work: how.
        inputs: all of this shard, named.
        records: id -> what is known of it already.
        engine: who does it.
    """

    work: Answering
    inputs: tuple[Input, ...]
    records: dict[str, Record]
    engine: str = "local"

    @property
    def left(self) -> list[Input]:
        """The inputs without a record."""
        return [item for item in self.inputs if item.id not in self.records]

    @property
    def target(self) -> Place:
        """Where the answers go."""
        return self.work.target


def plan(
    work: Answering,
    inputs: Sequence[Input],
    *,
    engine: str = "local",
    retry_failed: bool = False,
    fresh: bool = False,
) -> Todo:
    """Look at what lies at the place already, and find what is left to do.

    Args:
        work: how; its job says which shard.
        inputs: all of them, over all shards.
        engine: who will do it.
        retry_failed: do again what failed before.
        fresh: remove all former answers that the place's manifests name.

    Raises:
        ConfigError: the place holds answers of another model or other options.
        UnknownNameError: nobody knows such an engine.
    """
    target, job = work.target, work.job
    _ = engines[engine]
    if fresh:
        remove(target, job)
    _refuse_others(target, job)
    known = read_records(target, job) if read_job(target, job.shard) else {}
    names = {one.id: one.name for one in known.values() if isinstance(one, Answer)}
    mine = share(named(inputs, names), job.shard)
    there = {kind: target.names(kind) for kind in work.kinds}
    records = {
        item.id: known[item.id]
        for item in mine
        if item.id in known and _counts(known[item.id], item, work, there, retry_failed)
    }
    return Todo(work, tuple(mine), records, engine)


def answers(todo: Todo, stopped: Sequence[object] = ()) -> Iterator[Record]:
    """Answer what is left; each record is given once it is safe from any kill.

    Nothing else may work on the same shard at the same place meanwhile. When the iterator is
    exhausted, manifest.jsonl, errors.jsonl and areas.csv are written, also where it was stopped.

    Args:
        todo: from `plan`.
        stopped: as soon as anything is in it, no further photo is begun.

    Raises:
        OutputError: the answers cannot be written.
        ConfigError: another process works here.
    """
    work, target = todo.work, todo.target
    records = dict(todo.records)
    with Journal(target, work.job) as journal, _threads_kept():
        write_job(target, work.job)
        _sweep(todo)
        try:
            for record in engines[todo.engine](work, _until(stopped, todo.left)):
                journal.add(record)
                records[record.id] = record
                yield record
        finally:
            journal.flush()
            _sweep(todo)
        ordered = {item.id: records[item.id] for item in todo.inputs if item.id in records}
        target.write(work.job.file("areas", ".csv"), areas(ordered.values(), work.job.classes))
        write_records(target, work.job, ordered)


def remove(target: Place, job: Job) -> None:
    """Remove a shard's answers, all that its manifest and journal name, and these."""
    old = read_job(target, job.shard)
    if old is None:
        return
    for answer in _answered(read_records(target, old).values()):
        for name in answer.files.values():
            target.remove(name)
    write_records(target, old, {})
    for name in old.files:
        target.remove(name)


def _refuse_others(target: Place, job: Job) -> None:
    for other in read_jobs(target):
        what = None
        if other.model != job.model:
            what = f"another model ({other.model}, now {job.model})"
        elif other.options != job.options:
            what = f"other options ({_told(other.options)}; now {_told(job.options)})"
        elif (other.shard[1] == 1) != (job.shard[1] == 1):
            what = "all inputs" if other.shard[1] == 1 else f"{other.shard[1]} shards"
        elif other.shard[1] != job.shard[1]:
            what = f"{other.shard[1]} shards instead of {job.shard[1]}"
        if what:
            raise ConfigError(
                f"{target} holds the answers of {what}; choose another folder with --out, "
                "or begin anew with --fresh"
            )


def _told(options: dict[str, Any]) -> str:
    def value(one: Any) -> str:
        return ",".join(map(str, one)) if isinstance(one, list) else str(one)

    return ", ".join(f"{key} {value(one)}" for key, one in sorted(options.items()))


def _counts(
    record: Record,
    item: Input,
    work: Answering,
    there: dict[str, set[str]],
    retry_failed: bool,
) -> bool:
    """Whether an input need not be done again."""
    if isinstance(record, Failure):
        return not retry_failed
    own = local_path(item.where)
    changed = own is not None and own.is_file() and own.stat().st_size != record.bytes
    whole = all(
        record.files.get(kind) == file_name(kind, item.name)
        and record.files[kind].partition("/")[2] in there[kind]
        for kind in work.kinds
    )
    return whole and not changed and record.key == work.job.key(item.id)


def _answered(records: Iterable[Record]) -> Iterator[Answer]:
    return (one for one in records if isinstance(one, Answer))


def _until(stopped: Sequence[object], inputs: Iterable[Input]) -> Iterator[Input]:
    for item in inputs:
        if stopped:
            return
        yield item


def _sweep(todo: Todo) -> None:
    """Remove what a kill left half-written of this shard's files, and nothing of other shards'."""
    target = todo.target
    if not isinstance(target, Folder):
        return
    mine = set(todo.work.job.files)
    mine |= {file_name(kind, item.name) for kind in todo.work.kinds for item in todo.inputs}
    for folder in ("", *todo.work.kinds):
        for name in target.names(folder):
            path = f"{folder}/".lstrip("/")
            whole = path + name[1:-13]
            if name.startswith(".") and name.endswith(".tmp") and whole in mine:
                target.remove(path + name)


@contextmanager
def _threads_kept() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
