"""Decide whether existing predictions can be kept, and remove stale ones."""

from collections.abc import Iterable, Iterator
from typing import Any

from fullconv.batch.collect import remove_collected
from fullconv.batch.manifest import (
    JobDescription,
    PredictionRecord,
    Record,
    is_job_file,
    journal_files,
    read_job_file,
    read_records,
    write_records,
)
from fullconv.errors import ConfigError, DataError
from fullconv.io.storage import Place


def remove_stale(target: Place, job: JobDescription, fresh: bool) -> None:
    """Remove predictions of other jobs, if `fresh`, and jobs that have no prediction.

    Args:
        target: where `job` will write to.
        job: the job to start; its other shards stay.
        fresh: also remove its own shard, and predictions of other models, options or numbers of
            shards.

    Raises:
        ConfigError: there are predictions of another job, and `fresh` is not set.
        DataError: a list is damaged, and `fresh` is not set.
    """
    for other in _read_jobs(target, fresh):
        difference = _describe_difference(job, other)
        if difference and not fresh and not _has_no_predictions(target, other):
            raise ConfigError(
                f"{target} holds predictions of {difference}; choose another folder with --out, "
                "or start over with --fresh"
            )
        if difference or (fresh and other.shard == job.shard):
            _remove_shard(target, other)


def _remove_shard(target: Place, job: JobDescription) -> None:
    """Remove a shard's lists, and all files that its manifest and journal list."""
    for record in _readable_records(target, job):
        for name in record.files.values() if isinstance(record, PredictionRecord) else ():
            target.remove(name)
    remove_collected(target, job)
    write_records(target, job, {})
    for name in job.files:
        target.remove(name)


def _read_jobs(target: Place, fresh: bool) -> Iterator[JobDescription]:
    for name in filter(is_job_file, sorted(target.names())):
        try:
            yield read_job_file(target, name)
        except DataError:
            if not fresh:
                raise
            target.remove(name)


def _readable_records(target: Place, job: JobDescription) -> Iterable[Record]:
    try:
        return read_records(target, job).values()
    except DataError:  # damaged lists are removed, the files they listed are unknown
        return ()


def _describe_difference(job: JobDescription, other: JobDescription) -> str:
    """Describe how `other` differs from `job`; "" if they are shards of one job."""
    if other.model != job.model:
        return f"another model ({other.model}, now {job.model})"
    if other.options != job.options:
        found, expected = _format_options(other.options), _format_options(job.options)
        return f"other options ({found}; now {expected})"
    if other.shard[1] == job.shard[1]:
        return ""
    if job.shard[1] == 1:
        return f"{other.shard[1]} shards"
    if other.shard[1] == 1:
        return "all inputs"
    return f"{other.shard[1]} shards instead of {job.shard[1]}"


def _format_options(options: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    return ", ".join(f"{key} {text(value)}" for key, value in sorted(options.items()))


def _has_no_predictions(target: Place, job: JobDescription) -> bool:
    if journal_files(target, job):  # it may be running
        return False
    records = read_records(target, job).values()
    return not any(isinstance(record, PredictionRecord) for record in records)
