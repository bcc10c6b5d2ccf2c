"""Decide whether existing predictions can be kept, and remove stale ones."""

from collections.abc import Mapping
from typing import Any

from fullconv.batch.collect import remove_collected
from fullconv.batch.journal import claimed
from fullconv.batch.manifest import (
    JobDescription,
    PredictionRecord,
    journal_files,
    read_job_file,
    read_records,
    write_records,
)
from fullconv.batch.writers import writers
from fullconv.errors import ConfigError, DataError
from fullconv.io.storage import Place

_KINDS_OF_LARGE_INPUTS = {"areas", "video"}  # beside those of `writers`


Jobs = Mapping[str, JobDescription | None]
"""The jobs of a place by the names of their job files; None is one that cannot be read."""


def read_job_or_none(target: Place, name: str, fresh: bool) -> JobDescription | None:
    """Read a job file; None if it is damaged and `fresh` will remove it.

    Raises:
        DataError: it is damaged, and `fresh` is not set.
    """
    try:
        return read_job_file(target, name)
    except DataError:
        if not fresh:
            raise
        return None


def find_stale(target: Place, job: JobDescription, jobs: Jobs, fresh: bool) -> Jobs:
    """Return the jobs to remove: those that have no prediction, and with `fresh` others.

    Args:
        target: where `job` will write to.
        job: the job to start; its other shards stay.
        jobs: all that were begun there.
        fresh: also remove its own shard, and predictions of other models, options or numbers of
            shards.

    Raises:
        ConfigError: there are predictions of another job, and `fresh` is not set.
        DataError: a list is damaged, and `fresh` is not set.
    """
    return {name: other for name, other in jobs.items() if _is_stale(target, job, other, fresh)}


def remove_stale(target: Place, stale: Jobs) -> list[str]:
    """Remove jobs and their predictions, unless a process is at work on one of them.

    Args:
        target: the place of their files.
        stale: from `find_stale`.

    Returns:
        Sentences about files that were not removed.

    Raises:
        ConfigError: a process is at work on one of the jobs; nothing is removed.
    """
    notes: list[str] = []
    with claimed(target, (_journal(name) for name in stale)):
        for name, other in stale.items():
            if other is None:
                target.remove(name)
            else:
                notes += _remove_shard(target, other)
    return notes


def _is_stale(
    target: Place, job: JobDescription, other: JobDescription | None, fresh: bool
) -> bool:
    """Return whether a job has to be removed before `job` starts.

    Raises:
        ConfigError: it has predictions, and `fresh` is not set.
    """
    if other is None:
        return True
    difference = _describe_difference(job, other)
    if difference and not fresh and not _has_no_predictions(target, other):
        raise ConfigError(
            f"{target} holds predictions of {difference}; choose another folder with --out, "
            "or start over with --fresh"
        )
    return bool(difference) or (fresh and other.shard == job.shard)


def _journal(job_file: str) -> str:
    return "journal" + job_file.removeprefix("predict").removesuffix(".json") + ".jsonl"


def _remove_shard(target: Place, job: JobDescription) -> list[str]:
    """Remove a shard's lists, and all predictions that its manifest and journal list."""
    skipped: list[str] = []
    known = {*writers, *_KINDS_OF_LARGE_INPUTS}
    known |= {f"{head}/{kind}" for head in job.head_names for kind in writers}
    for record in read_records(target, job, skipped).values():
        for kind, name in record.files.items() if isinstance(record, PredictionRecord) else ():
            if kind in known:
                target.remove(name)
    remove_collected(target, job)
    write_records(target, job, {})
    for name in job.files:
        target.remove(name)
    return [f"{line}; the files of this line were not removed" for line in skipped]


def _describe_difference(job: JobDescription, other: JobDescription) -> str:
    """Describe how `other` differs from `job`; "" if they are shards of one job."""
    if other.model != job.model:
        return f"another model ({other.model}, now {job.model})"
    if other.options != job.options:
        found, expected = _format_options(other.options), _format_options(job.options)
        return f"other options ({found}; now {expected})"
    found, expected = _format_engine(other), _format_engine(job)
    if found != expected:
        return f"another engine ({found}; now {expected})"
    if other.shard[1] == job.shard[1]:
        return ""
    if job.shard[1] == 1:
        return f"{other.shard[1]} shards"
    if other.shard[1] == 1:
        return "all inputs"
    return f"{other.shard[1]} shards instead of {job.shard[1]}"


def _format_engine(job: JobDescription) -> str:
    if not job.engine_pixels:  # PyTorch, or an exported file, whose engine follows from the file
        return "torch"
    return f"{job.engine} for images of up to {job.engine_pixels:,} pixels"


def _format_options(options: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    return ", ".join(f"{key} {text(value)}" for key, value in sorted(options.items()))


def _has_no_predictions(target: Place, job: JobDescription) -> bool:
    if journal_files(target, job):  # it may be running
        return False
    records = read_records(target, job).values()
    return not any(isinstance(record, PredictionRecord) for record in records)
