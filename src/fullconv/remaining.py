"""What lies at a place already, and what is left to do there."""

from collections.abc import Sequence
from dataclasses import dataclass

from fullconv.answering import Answering, files_of
from fullconv.engines import engines
from fullconv.errors import ConfigError
from fullconv.former import make_room
from fullconv.inputs import Input
from fullconv.manifest import Answer, Failure, Record, read_job, read_records
from fullconv.naming import named, share
from fullconv.storage import Folder, Place, local_path


@dataclass(frozen=True)
class Todo:
    """What is to be done, and what was done before.

    Attributes:
        work: how.
        inputs: all of this shard, named.
        records: id -> what is known of it already.
        engine: who does the photos; rasters and videos are done by this process.
        fresh: whether what was begun of an answer and not finished is begun anew.
        others: answers that are there to inputs which are none of these.
    """

    work: Answering
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
    names = {one.id: one.name for one in known.values() if isinstance(one, Answer)}
    mine = share(named(inputs, names), job.shard)
    there = _Files(target)
    records = {
        item.id: known[item.id]
        for item in mine
        if item.id in known and _counts(known[item.id], item, work, there, retry_failed)
    }
    others = len(names.keys() - {item.id for item in mine})
    return Todo(work, tuple(mine), records, engine, fresh, others)


def _refuse_file(target: Place) -> None:
    if isinstance(target, Folder) and target.root.exists() and not target.root.is_dir():
        raise ConfigError(f"--out {target} is a file; expected a folder, begun or new")


def refuse_large(work: Answering, inputs: Sequence[Input], engine: str) -> None:
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


def _counts(
    record: Record, item: Input, work: Answering, there: _Files, retry_failed: bool
) -> bool:
    """Whether an input need not be done again."""
    if isinstance(record, Failure):
        return not retry_failed
    own = local_path(item.where)
    changed = own is not None and own.is_file() and own.stat().st_size != record.bytes
    files = files_of(item, work.kinds)
    whole = record.files == files and all(name in there for name in files.values())
    return whole and not changed and record.key == work.job.key(item.id)
