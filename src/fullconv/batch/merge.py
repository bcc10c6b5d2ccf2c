"""The shards of a job put together, after proof that every input is there exactly once."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fullconv.batch.collect import write_gathered
from fullconv.batch.fingerprint import fingerprint
from fullconv.batch.manifest import (
    FailureRecord,
    Job,
    PredictionRecord,
    Record,
    read_jobs,
    read_records,
    write_manifest,
)
from fullconv.errors import DataError
from fullconv.io.storage import Folder, Place, place


@dataclass(frozen=True)
class Part:
    """One shard's records, and where its answers lie."""

    place: Place
    job: Job
    records: dict[str, Record]

    def __str__(self) -> str:
        index, count = self.job.shard
        return str(self.place) if count == 1 else f"part {index}/{count} in {self.place}"


def merge(outs: Sequence[str], target: str | None = None) -> list[Record]:
    """Write one manifest, one list of errors, one areas.csv and the like for several shards.

    Args:
        outs: the places that their answers lie in; the answers stay there.
        target: the folder or URL to write to; None is the only one of `outs`.

    Returns:
        the records of all inputs, by id.

    Raises:
        DataError: an input is missing or there twice, a file is missing, or the shards' models or
            options differ; nothing is written then.
    """
    if target is None and len(outs) != 1:
        raise DataError("several places are merged into one that is new: name it with --out")
    parts = [part for out in dict.fromkeys(outs) for part in parts_of(place(out))]
    check(parts)
    goal = place(target if target is not None else outs[0])
    found = [(part.place, one) for part in parts for one in part.records.values()]
    found.sort(key=lambda lying: lying[1].id)
    whole = replace(parts[0].job, shard=(0, 1))
    answers = [(where, one) for where, one in found if isinstance(one, PredictionRecord)]
    write_gathered(goal, whole, answers)
    records = [moved(one, where, goal) for where, one in found]
    write_manifest(goal, whole, records)
    return records


def parts_of(where: Place) -> Iterator[Part]:
    """The jobs in one place, with what they have done so far.

    Raises:
        DataError: there is none.
    """
    jobs = read_jobs(where)
    if not jobs:
        raise DataError(f"{where} holds no answers of fullconv predict; expected its --out")
    for job in jobs:
        yield Part(where, job, read_records(where, job))


def check(parts: Sequence[Part]) -> None:
    """Prove that the parts make one whole.

    Raises:
        DataError: they do not, and why.
    """
    first = parts[0]
    for part in parts:
        _same(first, part)
        _complete(part)
        _files(part)
    _every_shard_once(parts)
    _every_input_once(parts)


def moved(record: Record, source: Place, target: Place) -> Record:
    """The record as it reads from another place: its files' paths lead to where they are."""
    if isinstance(record, FailureRecord) or source == target:
        return record

    def path(name: str) -> str:
        if isinstance(source, Folder) and isinstance(target, Folder):
            return os.path.relpath(source.root / name, target.root).replace(os.sep, "/")
        return f"{source}/{name}"

    return replace(record, files={kind: path(name) for kind, name in record.files.items()})


_SAME: tuple[tuple[str, Callable[[Job], object]], ...] = (
    ("model", lambda job: job.model),
    ("options", lambda job: job.options),
    ("classes", lambda job: job.classes),
    ("number of parts", lambda job: job.shard[1]),
)


def _same(first: Part, part: Part) -> None:
    for what, of in _SAME:
        if of(first.job) != of(part.job):
            raise DataError(
                f"{first} and {part} differ in their {what} ({of(first.job)}; {of(part.job)}); "
                "expected parts of one job"
            )
    if part.job.shard[1] > 1 and part.job.ids != first.job.ids:
        raise DataError(
            f"{first} was made of {first.job.inputs:,} inputs, {part} of {part.job.inputs:,} "
            "others; run those parts again whose inputs have changed since"
        )


def _complete(part: Part) -> None:
    if len(part.records) < part.job.mine:
        raise DataError(
            f"{part} has {len(part.records):,} of its {part.job.mine:,} inputs; "
            "run its command again, which does the rest"
        )


def _files(part: Part) -> None:
    there: dict[str, set[str]] = {}
    for answer in part.records.values():
        for name in answer.files.values() if isinstance(answer, PredictionRecord) else ():
            folder, _, file = name.rpartition("/")
            if folder not in there:
                there[folder] = part.place.names(folder)
            if file not in there[folder]:
                raise DataError(
                    f"{part}: {name}, the answer to {answer.id}, is missing; "
                    "run its command again, which does it anew"
                )


def _every_shard_once(parts: Sequence[Part]) -> None:
    count = parts[0].job.shard[1]
    if count == 1:
        return
    found: dict[int, Part] = {}
    for part in parts:
        other = found.setdefault(part.job.shard[0], part)
        if other is not part:
            raise DataError(f"{other} and {part} are the same part; merge only one of them")
    missing = [f"{index}/{count}" for index in range(count) if index not in found]
    if missing:
        raise DataError(f"missing: part {', '.join(missing)}; run it with --shard {missing[0]}")


def _every_input_once(parts: Sequence[Part]) -> None:
    found: dict[str, Part] = {}
    for part in parts:
        for one in part.records:
            other = found.setdefault(one, part)
            if other is not part:
                raise DataError(f"{one} was answered twice, in {other} and in {part}")
    for group in [parts] if parts[0].job.shard[1] > 1 else [[part] for part in parts]:
        ids = (one for part in group for one in part.records)
        if fingerprint(ids) != group[0].job.ids:
            raise DataError(
                f"{_listed(group)} together do not hold the {group[0].job.inputs:,} inputs that "
                "they were begun with; run the parts again"
            )


def _listed(parts: Iterable[Part]) -> str:
    return ", ".join(map(str, parts))
