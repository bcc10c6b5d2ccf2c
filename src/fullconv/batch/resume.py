"""Find out which inputs of a job are done and which are left."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fullconv.batch.collect import area_files, collected_paths, existing_collected
from fullconv.batch.executors import executors
from fullconv.batch.fingerprint import FileState, content_digest, file_state
from fullconv.batch.inputs import Input
from fullconv.batch.job import PredictionJob
from fullconv.batch.manifest import (
    FailureRecord,
    JobDescription,
    PredictionRecord,
    Record,
    lists_fingerprint,
    read_job,
    read_jobs,
    read_records,
)
from fullconv.batch.names import assign_names, output_files
from fullconv.batch.sharding import select_shard
from fullconv.batch.stage_times import StageTimes
from fullconv.batch.stale import remove_stale
from fullconv.errors import ConfigError, DataError, ImageError
from fullconv.io.storage import Folder, Place, local_path


@dataclass(frozen=True)
class PendingWork:
    """A job, and how far it is.

    Attributes:
        job: how inputs are predicted.
        inputs: all inputs of this shard, with names.
        records: id -> record of the inputs that are done.
        executor: what runs the photos; rasters and videos are predicted by this process.
        fresh: whether unfinished rasters start over.
        others: number of predictions in the output folder that are of none of these inputs.
        notes: sentences for the user, about what was left out or not removed.
        lists: fingerprint of the lists when they were read.
        times: what the photos took, while and after the job runs in this process.
    """

    job: PredictionJob
    inputs: tuple[Input, ...]
    records: dict[str, Record]
    executor: str = "local"
    fresh: bool = False
    others: int = 0
    notes: tuple[str, ...] = ()
    lists: str = ""
    times: StageTimes = field(default_factory=StageTimes, compare=False)

    @property
    def left(self) -> list[Input]:
        """The inputs without a record."""
        return [item for item in self.inputs if item.id not in self.records]


def plan_resume(
    job: PredictionJob,
    inputs: Sequence[Input],
    *,
    executor: str = "local",
    retry_failed: bool = False,
    fresh: bool = False,
) -> PendingWork:
    """Read the lists in the output folder and return what is left to do.

    Args:
        job: its description says which shard this is.
        inputs: the inputs of all shards.
        executor: what will run the photos.
        retry_failed: predict failed inputs again.
        fresh: first remove all predictions that the folder's manifests list: this shard's, and
            those of other models, options or numbers of shards.

    Raises:
        ConfigError: the output folder is a file, has predictions of another model or other options,
            or files that would be overwritten; or the job's options do not suit rasters or videos.
        DataError: a list in the folder is damaged, or a link is in the place of a file.
        UnknownNameError: there is no such executor.
    """
    target, description = job.target, job.description
    _ = executors[executor]
    if (
        isinstance(target, Folder)
        and os.path.exists(target.root)
        and not os.path.isdir(target.root)
    ):
        raise ConfigError(f"--out {target} is a file; expected a folder")
    check_large_inputs(job, inputs, executor)
    begun = _begun_jobs(target)
    notes = remove_stale(target, description, fresh)
    lists = lists_fingerprint(target, description)
    known = read_records(target, description) if read_job(target, description.shard) else {}
    names = _names_of(known)
    taken = {**_names_of_other_shards(target, description), **names}
    mine = select_shard(assign_names(inputs, taken), description.shard)
    listing = _Listing(target)
    _check_nothing_overwritten(job, mine, listing, begun)
    records = {
        item.id: known[item.id]
        for item in mine
        if item.id in known and _is_done(known[item.id], item, job, listing, retry_failed)
    }
    others = len(names.keys() - {item.id for item in mine})
    return PendingWork(job, tuple(mine), records, executor, fresh, others, tuple(notes), lists)


def check_large_inputs(job: PredictionJob, inputs: Sequence[Input], executor: str) -> None:
    """Check that rasters and videos can be predicted with these options.

    Raises:
        ConfigError: with another executor than local, into a store, with several heads, or a
            raster with TTA.
    """
    large = next((item for item in inputs if item.medium != "photo"), None)
    raster = next((item for item in inputs if item.medium == "raster"), None)
    heads = job.description.head_names
    if large and heads:
        raise ConfigError(
            f"{large.where}: a {large.medium} is predicted with one head, found "
            f"{', '.join(heads)}; choose one with --head"
        )
    if large and executor != "local":
        raise ConfigError(
            f"{large.where}: a {large.medium} needs --executor local, found {executor}; to divide "
            "the inputs among machines, use --shard"
        )
    if large and not isinstance(job.target, Folder):
        raise ConfigError(
            f"{large.where}: a {large.medium} needs a local folder as --out, found {job.out}"
        )
    if raster and job.scales:
        raise ConfigError(f"{raster.where}: --tta does not support rasters; omit it")


def check_unchanged(pending: PendingWork) -> None:
    """Check, while the journal is locked, that the lists are those that the plan was made from.

    Raises:
        ConfigError: another process has predicted into the folder, or removed predictions.
    """
    target = pending.job.target
    if isinstance(target, Folder) and pending.lists != lists_fingerprint(
        target, pending.job.description
    ):
        raise ConfigError(
            f"another `fullconv predict` has changed {target} in the meantime; run the command "
            "again"
        )


def _begun_jobs(target: Place) -> list[JobDescription] | None:
    """Return the jobs that have written into a place; None if it is unknown what one has.

    Shards may have been merged there.
    """
    try:
        jobs = read_jobs(target)
    except DataError:  # `remove_stale` reports it, or replaces it
        return None
    return [*jobs, *(replace(job, shard=(0, 1)) for job in jobs)]


def _check_nothing_overwritten(
    job: PredictionJob,
    mine: Sequence[Input],
    listing: "_Listing",
    begun: Sequence[JobDescription] | None,
) -> None:
    """Check that no file of another program would be replaced.

    Files that a job was begun to write are its own, even if a kill has left them out of its lists.

    Args:
        job: the job to start.
        mine: its inputs.
        listing: the files in its folder.
        begun: jobs that were begun in this folder.

    Raises:
        ConfigError: there is such a file.
    """
    if begun is None:
        return
    target, description = job.target, job.description
    own = {name for each in begun for name in _files_of(each, mine)}
    found = [name for name in _files_of(description, mine) if name not in own and name in listing]
    roots = {path for each in begun for path in collected_paths(each)}
    found += sorted(existing_collected(target, description, roots))
    if found:
        raise ConfigError(
            f"{target}/{found[0]} exists, and is not a prediction of fullconv; choose another "
            "folder with --out"
        )


def _files_of(job: JobDescription, inputs: Sequence[Input]) -> Iterator[str]:
    """Yield the files that a job writes for these inputs, without collected ones."""
    yield from (*job.files, *area_files(job))
    for item in inputs:
        yield from output_files(item, job.kinds, job.head_names).values()


def _names_of(records: Mapping[str, Record]) -> dict[str, str]:
    """Return the names of the output files of predicted inputs, by id."""
    return {r.id: r.name for r in records.values() if isinstance(r, PredictionRecord)}


def _names_of_other_shards(target: Place, description: JobDescription) -> dict[str, str]:
    """Return the names that the job's other shards use in the same place, by id."""
    names: dict[str, str] = {}
    for other in read_jobs(target):
        if other.shard[1] == description.shard[1] and other.shard != description.shard:
            names |= _names_of(read_records(target, other, []))  # their own runs report damage
    return names


class _Listing:
    """Membership test for files of a place; lists each folder once."""

    def __init__(self, target: Place) -> None:
        self._target = target
        self._names: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            self._names[folder] = self._target.names(folder)
        return name in self._names[folder]


def _is_done(
    record: Record, item: Input, job: PredictionJob, listing: _Listing, retry_failed: bool
) -> bool:
    """Return whether a record still holds: same input and job, and all its files exist."""
    if isinstance(record, FailureRecord):
        return not retry_failed
    files = job.output_files(item)
    complete = record.files == files and all(name in listing for name in files.values())
    same_job = record.key == job.description.key(item.id)
    return complete and same_job and _is_unchanged(record, item, job)


def _is_unchanged(record: PredictionRecord, item: Input, job: PredictionJob) -> bool:
    """Return whether an input is the file that was predicted; True if it is gone, or a URL."""
    path = local_path(item.where)
    if path is None or not os.path.isfile(path):
        return True
    try:
        others = job.input_files(job.input_path(item))
    except ImageError:
        return False  # predicting it says what is missing
    state = file_state(path, others)
    if state == FileState(record.bytes, record.modified):
        return True
    # A copy has another time. Photos are small enough to be compared.
    return (
        state.bytes == record.bytes
        and bool(record.digest)
        and (content_digest(path, others) == record.digest)
    )
