"""Find out which inputs of a job are done and which are left."""

from collections.abc import Sequence
from dataclasses import dataclass

from fullconv.batch.executors import engines
from fullconv.batch.inputs import Input
from fullconv.batch.job import PredictionJob
from fullconv.batch.manifest import (
    FailureRecord,
    PredictionRecord,
    Record,
    read_job,
    read_records,
)
from fullconv.batch.names import assign_names, output_files
from fullconv.batch.sharding import select_shard
from fullconv.batch.stale import remove_stale
from fullconv.errors import ConfigError
from fullconv.io.storage import Folder, Place, local_path


@dataclass(frozen=True)
class PendingWork:
    """A job, and how far it is.

    Attributes:
        job: how inputs are predicted.
        inputs: all inputs of this shard, with names.
        records: id -> record of the inputs that are done.
        engine: what runs the photos; rasters and videos are predicted by this process.
        fresh: whether unfinished rasters start over.
        others: number of predictions in the output folder that are of none of these inputs.
    """

    job: PredictionJob
    inputs: tuple[Input, ...]
    records: dict[str, Record]
    engine: str = "local"
    fresh: bool = False
    others: int = 0

    @property
    def left(self) -> list[Input]:
        """The inputs without a record."""
        return [item for item in self.inputs if item.id not in self.records]


def plan_resume(
    job: PredictionJob,
    inputs: Sequence[Input],
    *,
    engine: str = "local",
    retry_failed: bool = False,
    fresh: bool = False,
) -> PendingWork:
    """Read the lists in the output folder and return what is left to do.

    Args:
        job: its description says which shard this is.
        inputs: the inputs of all shards.
        engine: what will run the photos.
        retry_failed: predict failed inputs again.
        fresh: first remove all predictions that the folder's manifests list: this shard's, and
            those of other models, options or numbers of shards.

    Raises:
        ConfigError: the output folder is a file, or has predictions of another model or other
            options, or the job's options do not suit rasters or videos.
        UnknownNameError: there is no such engine.
    """
    target, description = job.target, job.description
    _ = engines[engine]
    if isinstance(target, Folder) and target.root.exists() and not target.root.is_dir():
        raise ConfigError(f"--out {target} is a file; expected a folder")
    check_large_inputs(job, inputs, engine)
    remove_stale(target, description, fresh)
    known = read_records(target, description) if read_job(target, description.shard) else {}
    names = {r.id: r.name for r in known.values() if isinstance(r, PredictionRecord)}
    mine = select_shard(assign_names(inputs, names), description.shard)
    listing = _Listing(target)
    records = {
        item.id: known[item.id]
        for item in mine
        if item.id in known and _is_done(known[item.id], item, job, listing, retry_failed)
    }
    others = len(names.keys() - {item.id for item in mine})
    return PendingWork(job, tuple(mine), records, engine, fresh, others)


def check_large_inputs(job: PredictionJob, inputs: Sequence[Input], engine: str) -> None:
    """Check that rasters and videos can be predicted with these options.

    Raises:
        ConfigError: with another engine than local, into a store, or a raster with TTA.
    """
    large = next((item for item in inputs if item.medium != "photo"), None)
    raster = next((item for item in inputs if item.medium == "raster"), None)
    if large and engine != "local":
        raise ConfigError(
            f"{large.where}: a {large.medium} needs --engine local, found {engine}; to divide the "
            "inputs among machines, use --shard"
        )
    if large and not isinstance(job.target, Folder):
        raise ConfigError(
            f"{large.where}: a {large.medium} needs a local folder as --out, found {job.out}"
        )
    if raster and job.scales:
        raise ConfigError(f"{raster.where}: --tta does not support rasters; omit it")


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
    path = local_path(item.where)
    changed = path is not None and path.is_file() and path.stat().st_size != record.bytes
    files = output_files(item, job.kinds)
    complete = record.files == files and all(name in listing for name in files.values())
    return complete and not changed and record.key == job.description.key(item.id)
