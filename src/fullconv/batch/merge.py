"""Merge the shards of a job, after checking that every input is there exactly once."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from fullconv.batch.collect import (
    area_files,
    collected_paths,
    existing_collected,
    write_collected,
)
from fullconv.batch.fingerprint import ids_fingerprint
from fullconv.batch.journal import is_at_work
from fullconv.batch.manifest import (
    FailureRecord,
    JobDescription,
    PredictionRecord,
    Record,
    read_jobs,
    read_records,
    write_manifest,
)
from fullconv.batch.own_files import check_own_files
from fullconv.batch.stored import parse_object
from fullconv.errors import ConfigError, DataError
from fullconv.io.storage import Folder, Place, is_url, open_place


@dataclass(frozen=True)
class Shard:
    """A shard's job and records, and the place of its files."""

    place: Place
    job: JobDescription
    records: dict[str, Record]

    def __str__(self) -> str:
        index, count = self.job.shard
        return str(self.place) if count == 1 else f"shard {index}/{count} in {self.place}"


def merge_shards(outs: Sequence[str], target: str | None = None) -> list[Record]:
    """Write one manifest, errors.jsonl, areas.csv and other collected files for several shards.

    Args:
        outs: the shards' output folders; their predictions stay there.
        target: the folder or URL to write to; None is the only one of `outs`.

    Returns:
        The records of all inputs, sorted by id.

    Raises:
        DataError: an input is missing or there twice, a file is missing, or the shards' models or
            options differ, or `target` holds other predictions; nothing has been written.
        ConfigError: a process is at work on one of the shards, or a file of `target` is of no
            merge.
    """
    if target and not is_url(target) and os.path.exists(target) and not os.path.isdir(target):
        raise DataError(f"--out {target} is a file; expected a folder")
    if target is None and len(outs) != 1:
        raise DataError("to merge several folders, name a new one with --out")
    shards = [shard for out in dict.fromkeys(outs) for shard in read_shards(open_place(out))]
    check_shards(shards)
    goal = open_place(target if target is not None else outs[0])
    job = replace(shards[0].job, shard=(0, 1))
    _check_goal(goal, shards, job)
    found = [(shard.place, record) for shard in shards for record in shard.records.values()]
    found.sort(key=lambda pair: pair[1].id)
    records = [relocate(record, source, goal) for source, record in found]
    write_manifest(goal, job, records)  # first: it says that the other files are of a merge
    write_collected(goal, job, [(p, r) for p, r in found if isinstance(r, PredictionRecord)])
    return records


def _check_goal(goal: Place, shards: Sequence[Shard], job: JobDescription) -> None:
    """Check that merging replaces no file but those of a merge, and that no process is at work.

    Args:
        goal: where the files of `job`, the merged one, will be.
        shards: the shards to merge.
        job: their common job.

    Raises:
        DataError: the goal has predictions of its own, whose lists would be replaced.
        ConfigError: a process is at work on a shard, or the goal has files of another program.
    """
    for shard in shards:
        if is_at_work(shard.place, shard.job.file("journal", ".jsonl")):
            raise ConfigError(
                f"`fullconv predict` is still at work on {shard}; merge it afterwards"
            )
    only_itself = all(_is_same(shard.place, goal) for shard in shards)
    if not only_itself and any(other.shard == (0, 1) for other in read_jobs(goal)):
        raise DataError(
            f"{goal} holds another list manifest.jsonl, which would be replaced",
            remedy="name a new folder with --out",
        )
    merged = _merged_job(goal, job)
    lists, roots = [], []
    if merged:
        lists, roots = [*_lists_of(merged)], collected_paths(merged)
    found = sorted(existing_collected(goal, job, roots))
    check_own_files(goal, [*_lists_of(job), *found], lists)


def _lists_of(job: JobDescription) -> list[str]:
    return [*(job.file(stem, ".jsonl") for stem in ("manifest", "errors")), *area_files(job)]


def _is_same(place: Place, other: Place) -> bool:
    if isinstance(place, Folder) and isinstance(other, Folder):
        return place.root.resolve() == other.root.resolve()
    return place == other


def _merged_job(goal: Place, job: JobDescription) -> JobDescription | None:
    """Return the job of an earlier merge into `goal`, by its manifest; None if there is none.

    It is `job`, or another one, of which only the kinds that the manifest lists are known.
    """
    content = goal.read("manifest.jsonl")
    if content is None:
        return None
    same, kinds = True, set[str]()
    try:
        for record in map(parse_object, content.splitlines()):
            if not {"id", "key", "files"} <= record.keys():
                return None
            same = same and record["key"] == job.key(record["id"])
            kinds |= {str(kind).rpartition("/")[2] for kind in record["files"]}
    except (ValueError, TypeError):
        return None
    return job if same else replace(job, options={**job.options, "save": sorted(kinds)})


def read_shards(folder: Place) -> Iterator[Shard]:
    """Read the shards in one place.

    Raises:
        DataError: there is none.
    """
    jobs = read_jobs(folder)
    if not jobs:
        raise DataError(f"{folder} holds no predictions; expected an --out of fullconv predict")
    for job in jobs:
        yield Shard(folder, job, read_records(folder, job))


def check_shards(shards: Sequence[Shard]) -> None:
    """Check that the shards make up one complete job.

    Raises:
        DataError: they do not.
    """
    for shard in shards:
        _check_same_job(shards[0], shard)
        _check_complete(shard)
        _check_files(shard)
    _check_each_shard_once(shards)
    _check_each_input_once(shards)
    _check_each_file_once(shards)


def relocate(record: Record, source: Place, target: Place) -> Record:
    """Return the record with its files' paths relative to another place."""
    if isinstance(record, FailureRecord) or source == target:
        return record

    def relocate_path(name: str) -> str:
        if isinstance(source, Folder) and isinstance(target, Folder):
            return os.path.relpath(source.root / name, target.root).replace(os.sep, "/")
        return f"{source}/{name}"

    return replace(record, files={kind: relocate_path(n) for kind, n in record.files.items()})


_COMMON: tuple[tuple[str, Callable[[JobDescription], object]], ...] = (
    ("model", lambda job: job.model),
    ("options", lambda job: job.options),
    ("engines", lambda job: (job.engine, job.engine_pixels)),
    ("classes", lambda job: job.classes),
    ("number of shards", lambda job: job.shard[1]),
)


def _check_same_job(first: Shard, shard: Shard) -> None:
    for what, value in _COMMON:
        if value(first.job) != value(shard.job):
            raise DataError(
                f"{first} and {shard} differ in their {what} ({value(first.job)}; "
                f"{value(shard.job)}); expected shards of one job"
            )
    if shard.job.shard[1] > 1 and shard.job.ids != first.job.ids:
        raise DataError(
            f"{first} was run on {first.job.inputs:,} inputs, {shard} on {shard.job.inputs:,} "
            "different ones; run the shards again whose inputs have changed"
        )


def _check_complete(shard: Shard) -> None:
    if len(shard.records) < shard.job.mine:
        raise DataError(
            f"{shard} has {len(shard.records):,} of its {shard.job.mine:,} inputs; "
            "run its command again to finish it"
        )


def _check_files(shard: Shard) -> None:
    listed: dict[str, set[str]] = {}
    for record in shard.records.values():
        for name in record.files.values() if isinstance(record, PredictionRecord) else ():
            folder, _, file = name.rpartition("/")
            if folder not in listed:
                listed[folder] = shard.place.names(folder)
            if file not in listed[folder]:
                raise DataError(
                    f"{shard}: {name}, the prediction of {record.id}, is missing; "
                    "run its command again to restore it"
                )


def _check_each_shard_once(shards: Sequence[Shard]) -> None:
    count = shards[0].job.shard[1]
    if count == 1:
        return
    found: dict[int, Shard] = {}
    for shard in shards:
        other = found.setdefault(shard.job.shard[0], shard)
        if other is not shard:
            raise DataError(f"{other} and {shard} are the same shard; merge only one of them")
    missing = [f"{index}/{count}" for index in range(count) if index not in found]
    if missing:
        raise DataError(f"missing: shard {', '.join(missing)}; run it with --shard {missing[0]}")


def _check_each_input_once(shards: Sequence[Shard]) -> None:
    found: dict[str, Shard] = {}
    for shard in shards:
        for input_id in shard.records:
            other = found.setdefault(input_id, shard)
            if other is not shard:
                raise DataError(f"{input_id} was predicted twice, in {other} and in {shard}")
    # Undivided jobs each have all of their inputs; shards have them together.
    for group in [shards] if shards[0].job.shard[1] > 1 else [[shard] for shard in shards]:
        ids = (input_id for shard in group for input_id in shard.records)
        if ids_fingerprint(ids) != group[0].job.ids:
            raise DataError(
                f"{', '.join(map(str, group))} do not hold the {group[0].job.inputs:,} inputs that "
                "they were started with; run them again"
            )


def _check_each_file_once(shards: Sequence[Shard]) -> None:
    """Check that no two inputs have the same file, which holds the prediction of only one."""
    found: dict[tuple[str, str], str] = {}
    for shard in shards:
        for record in shard.records.values():
            for name in record.files.values() if isinstance(record, PredictionRecord) else ():
                other = found.setdefault((str(shard.place), name), record.id)
                if other != record.id:
                    raise DataError(
                        f"{shard.place}/{name} is the prediction of both {other} and {record.id}",
                        "a file for each",
                        "predict all shards again with --fresh",
                    )
