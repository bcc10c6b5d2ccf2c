"""Run a job to completion; after any kill, running it again finishes it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import torch

from fullconv.batch.collect import area_files, collected_paths, write_collected
from fullconv.batch.executors import executors
from fullconv.batch.inputs import Input
from fullconv.batch.journal import Journal
from fullconv.batch.large_inputs import InputProgress, JobEvents, predict_large_input
from fullconv.batch.manifest import (
    FailureRecord,
    PredictionRecord,
    Record,
    write_job,
    write_records,
)
from fullconv.batch.resume import PendingWork, check_unchanged
from fullconv.batch.worker import Worker
from fullconv.io.storage import Folder
from fullconv.io.temporaries import target_name


def run_job(pending: PendingWork, stop_requests: Sequence[object] = ()) -> Iterator[Record]:
    """Predict the inputs that are left; yield each record once it survives any kill.

    No other process may work on the same shard in the same place. At the end, or when stopped, the
    manifest, errors.jsonl, areas.csv and the other collected files are written.

    Args:
        pending: from `plan_resume`.
        stop_requests: as soon as it holds anything, no further photo is started, and a raster or
            video is interrupted.

    Raises:
        OutputError: predictions cannot be written.
        ConfigError: another process is working on this shard.
    """
    with closing(run_with_progress(pending, stop_requests)) as events:
        for event in events:
            if isinstance(event, PredictionRecord | FailureRecord):
                yield event


def run_with_progress(pending: PendingWork, stop_requests: Sequence[object] = ()) -> JobEvents:
    """Run a job like `run_job`, and also yield the progress of rasters and videos."""
    job = pending.job
    target, description = job.target, job.description
    records = dict(pending.records)
    with Journal(target, description) as journal, _keep_threads():
        check_unchanged(pending)
        write_job(target, description)
        _remove_partial_files(pending)
        try:
            for event in _predict_all(pending, stop_requests):
                if not isinstance(event, InputProgress):
                    journal.add(event)
                    records[event.id] = event
                yield event
        finally:
            journal.flush()
            _remove_partial_files(pending)
        ordered = {item.id: records[item.id] for item in pending.inputs if item.id in records}
        predictions = [(target, r) for r in ordered.values() if isinstance(r, PredictionRecord)]
        write_collected(target, description, predictions)
        write_records(target, description, ordered)


def _predict_all(pending: PendingWork, stop_requests: Sequence[object]) -> JobEvents:
    """Predict the photos, several at once, then rasters and videos one by one."""
    photos = [item for item in pending.left if item.medium == "photo"]
    if photos:
        run = executors[pending.executor]
        yield from run(Worker(pending.job, pending.times), _until_stopped(stop_requests, photos))
    large = [item for item in pending.left if item.medium != "photo"]
    large_job = pending.job.for_large_inputs()
    if large and not stop_requests:
        large_job.prepare()
    for item in _until_stopped(stop_requests, large):
        with closing(predict_large_input(large_job, item, pending.fresh)) as events:
            for event in events:
                yield event
                if stop_requests:
                    return


def _until_stopped(stop_requests: Sequence[object], inputs: Iterable[Input]) -> Iterator[Input]:
    for item in inputs:
        if stop_requests:
            return
        yield item


def _remove_partial_files(pending: PendingWork) -> None:
    """Remove temporary files that a kill left of this shard, and none of other shards."""
    job, target = pending.job, pending.job.target
    if not isinstance(target, Folder):
        return
    description = job.description
    own = {*description.files, *area_files(description), *collected_paths(description)}
    for item in pending.inputs:
        own |= set(job.output_files(item).values())
    for folder in {name.rpartition("/")[0] for name in own}:
        for name in target.names(folder):
            prefix = f"{folder}/".lstrip("/")
            final = target_name(name)
            if final and own & {prefix + final, prefix}:  # an own file, or any in an own folder
                target.remove(prefix + name)


@contextmanager
def _keep_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
