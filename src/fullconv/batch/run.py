"""Many inputs: each is answered once, whatever is killed in between, and every answer is found."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from fullconv.batch.collect import roots, write_gathered
from fullconv.batch.executors import engines
from fullconv.batch.inputs import Input
from fullconv.batch.journal import Journal
from fullconv.batch.large_inputs import Progress, Steps, answered
from fullconv.batch.manifest import (
    FailureRecord,
    PredictionRecord,
    Record,
    write_job,
    write_records,
)
from fullconv.batch.resume import PendingWork
from fullconv.batch.worker import files_of
from fullconv.io.storage import Folder


def answers(todo: PendingWork, stopped: Sequence[object] = ()) -> Iterator[Record]:
    """Answer what is left; each record is given once it is safe from any kill.

    Nothing else may work on the same shard at the same place meanwhile. When the iterator is
    exhausted, manifest.jsonl, errors.jsonl, areas.csv and what else is made of all answers are
    written, also where it was stopped.

    Args:
        todo: from `plan`.
        stopped: as soon as anything is in it, no further photo is begun, and a raster or a video
            is left as it is.

    Raises:
        OutputError: the answers cannot be written.
        ConfigError: another process works here.
    """
    with closing(events(todo, stopped)) as found:
        yield from (event for event in found if isinstance(event, PredictionRecord | FailureRecord))


def events(todo: PendingWork, stopped: Sequence[object] = ()) -> Steps:
    """As `answers`, with what happens between the records of rasters and videos."""
    work, target = todo.work, todo.target
    records = dict(todo.records)
    with Journal(target, work.job) as journal, _threads_kept():
        write_job(target, work.job)
        _sweep(todo)
        try:
            for event in _all(todo, stopped):
                if not isinstance(event, Progress):
                    journal.add(event)
                    records[event.id] = event
                yield event
        finally:
            journal.flush()
            _sweep(todo)
        ordered = {item.id: records[item.id] for item in todo.inputs if item.id in records}
        whole = [(target, one) for one in ordered.values() if isinstance(one, PredictionRecord)]
        write_gathered(target, work.job, whole)
        write_records(target, work.job, ordered)


def _all(todo: PendingWork, stopped: Sequence[object]) -> Steps:
    """The photos, several at once; then the rasters and videos, one by one."""
    photos = [item for item in todo.left if item.medium == "photo"]
    if photos:
        yield from engines[todo.engine](todo.work, _until(stopped, photos))
    large = [item for item in todo.left if item.medium != "photo"]
    alone = todo.work.alone()
    if large and not stopped:
        alone.prepare()
    for item in _until(stopped, large):
        with closing(answered(alone, item, todo.fresh)) as steps:
            for event in steps:
                yield event
                if stopped:
                    return


def _until(stopped: Sequence[object], inputs: Iterable[Input]) -> Iterator[Input]:
    for item in inputs:
        if stopped:
            return
        yield item


def _sweep(todo: PendingWork) -> None:
    """Remove what a kill left half-written of this shard's files, and nothing of other shards'."""
    target, work = todo.target, todo.work
    if not isinstance(target, Folder):
        return
    mine = {*work.job.files, work.job.file("areas", ".csv"), *roots(work.job)}
    for item in todo.inputs:
        mine |= set(files_of(item, work.kinds).values())
    for folder in {name.rpartition("/")[0] for name in mine}:
        for name in target.names(folder):
            path = f"{folder}/".lstrip("/")
            whole = {path + name[1:-13], path}  # a file of the shard's, or all of its own folder
            if name.startswith(".") and name.endswith(".tmp") and mine & whole:
                target.remove(path + name)


@contextmanager
def _threads_kept() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
