"""Former answers at a place: whether new ones may lie among them, and how they go."""

from collections.abc import Iterable, Iterator
from typing import Any

from fullconv.errors import ConfigError, DataError
from fullconv.gathering import remove_gathered
from fullconv.manifest import (
    Answer,
    Job,
    Record,
    is_job,
    job_in,
    journals,
    read_records,
    write_records,
)
from fullconv.storage import Place


def make_room(target: Place, job: Job, fresh: bool) -> None:
    """Remove other jobs' answers, where that is asked for or they came to none.

    Args:
        target: where `job` is to be done.
        job: the new one; other shards of it stay.
        fresh: remove its own former answers, and those of other models, options or numbers of
            shards.

    Raises:
        ConfigError: others' answers would lie among this one's.
        DataError: what lies there cannot be understood.
    """
    for other in _jobs(target, fresh):
        what = _difference(job, other)
        if what and not fresh and not _without_answers(target, other):
            raise ConfigError(
                f"{target} holds the answers of {what}; choose another folder with --out, "
                "or begin anew with --fresh"
            )
        if what or (fresh and other.shard == job.shard):
            remove(target, other)


def remove(target: Place, job: Job) -> None:
    """Remove a shard's answers, all that its manifest and journal name, and these."""
    for answer in _still_known(target, job):
        for name in answer.files.values() if isinstance(answer, Answer) else ():
            target.remove(name)
    remove_gathered(target, job)
    write_records(target, job, {})
    for name in job.files:
        target.remove(name)


def _jobs(target: Place, fresh: bool) -> Iterator[Job]:
    for name in filter(is_job, sorted(target.names())):
        try:
            yield job_in(target, name)
        except DataError:
            if not fresh:
                raise
            target.remove(name)


def _still_known(target: Place, job: Job) -> Iterable[Record]:
    try:
        return read_records(target, job).values()
    except DataError:  # lists that are damaged name nothing any more
        return ()


def _difference(job: Job, other: Job) -> str:
    """In what another job is another one than this one's shards; "" where it is one of them."""
    if other.model != job.model:
        return f"another model ({other.model}, now {job.model})"
    if other.options != job.options:
        return f"other options ({_told(other.options)}; now {_told(job.options)})"
    if other.shard[1] == job.shard[1]:
        return ""
    if job.shard[1] == 1:
        return f"{other.shard[1]} shards"
    return (
        "all inputs"
        if other.shard[1] == 1
        else f"{other.shard[1]} shards instead of {job.shard[1]}"
    )


def _told(options: dict[str, Any]) -> str:
    def value(one: Any) -> str:
        return ",".join(map(str, one)) if isinstance(one, list) else str(one)

    return ", ".join(f"{key} {value(one)}" for key, one in sorted(options.items()))


def _without_answers(target: Place, job: Job) -> bool:
    """Whether a job came to no answer at all, and is not at work."""
    if journals(target, job):
        return False
    return not any(isinstance(one, Answer) for one in read_records(target, job).values())
