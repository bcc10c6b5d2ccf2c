"""What lies beside the answers: whose they are, which are there, which failed, and why.

    predict.json      the job: model, options, number of inputs
    manifest.jsonl    one line an answer: id, path, files, areas
    errors.jsonl      one line an input that failed: id, path, error
    journal.jsonl     only while a job runs, or after a kill: lines in the order of their happening

A shard i of n has files of its own: manifest-i-of-n.jsonl and so on.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fullconv.errors import DataError
from fullconv.io.palettes import Palette
from fullconv.io.storage import Place

FORMAT = 1


@dataclass(frozen=True)
class PredictionRecord:
    """One input that was answered: a photo, a raster or a video.

    Attributes:
        id: of the input.
        path: its path or URL.
        name: of its files.
        key: follows from id, model and options; equal keys mean equal answers.
        height: of the photo, raster or frame, in pixels.
        width: likewise.
        bytes: of the input's file.
        files: kind -> path below the place.
        pixels: class -> how many it has; of a video, in all frames.
        note: what the user should know about how it was answered; "" where nothing is.
    """

    id: str
    path: str
    name: str
    key: str
    height: int
    width: int
    bytes: int
    files: dict[str, str] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def areas(self) -> dict[str, float]:
        """Class -> its share of the pixels that have a class, in [0, 1]."""
        total = max(1, sum(self.pixels.values()))
        return {name: count / total for name, count in self.pixels.items()}


@dataclass(frozen=True)
class FailureRecord:
    """One input that could not be answered; `error` is a sentence."""

    id: str
    path: str
    error: str


Record = PredictionRecord | FailureRecord


@dataclass(frozen=True)
class Job:
    """What a folder of answers is about.

    Attributes:
        model: fingerprint of the model's file.
        options: everything else that the answers follow from.
        classes: their names.
        inputs: how many there are in all, over all shards.
        ids: fingerprint of their ids.
        shard: (which, of how many); (0, 1) is the whole.
        mine: how many of the inputs are this shard's.
        palette: the classes' colours.
    """

    model: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    inputs: int
    ids: str
    shard: tuple[int, int] = (0, 1)
    mine: int = 0
    palette: Palette = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of files that are written of each answer."""
        return tuple(self.options.get("save", ()))

    def key(self, one: str) -> str:
        """What the answer to the input `one` follows from, as one short word."""
        parts = json.dumps([one, self.model, self.options], sort_keys=True)
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def file(self, what: str, suffix: str) -> str:
        """The name of one of the files above, e.g. "manifest" and ".jsonl"."""
        index, count = self.shard
        return f"{what}{suffix}" if count == 1 else f"{what}-{index}-of-{count}{suffix}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that tell of it, but for its journal's."""
        manifests = [self.file(what, ".jsonl") for what in ("manifest", "errors")]
        return (*manifests, self.file("predict", ".json"))


def is_job(name: str) -> bool:
    """Whether a file of this name says that its folder holds answers."""
    return re.fullmatch(r"predict(-\d+-of-\d+)?\.json", name) is not None


def read_jobs(place: Place) -> list[Job]:
    """The jobs whose answers lie in a place.

    Raises:
        DataError: one of them cannot be understood.
    """
    return [job_in(place, name) for name in sorted(place.names()) if is_job(name)]


def job_in(place: Place, name: str) -> Job:
    """The job that a file tells of.

    Raises:
        DataError: it cannot be understood.
    """
    try:
        values = json.loads(place.read(name) or b"")
        if values.pop("format") != FORMAT:
            raise ValueError("of another version")
        values |= {key: tuple(values[key]) for key in ("classes", "shard")}
        values["palette"] = tuple(tuple(color) for color in values.get("palette", ()))
        return Job(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{place}/{name}: no description of a job of fullconv predict ({error}); "
            "begin anew with --fresh"
        ) from error


def read_job(place: Place, shard: tuple[int, int]) -> Job | None:
    """The job of one shard, or None where it was never begun."""
    name = Job("", {}, (), 0, "", shard).file("predict", ".json")
    return job_in(place, name) if name in place.names() else None


def write_job(place: Place, job: Job) -> None:
    """Say whose answers these are."""
    values = {"format": FORMAT, **asdict(job)}
    place.write(job.file("predict", ".json"), _pretty(values))


def read_records(place: Place, job: Job) -> dict[str, Record]:
    """All that is known of a job's inputs, by id; what happened last wins."""
    records: dict[str, Record] = {}
    for what in ("manifest", "errors"):
        for record in _records(place, job.file(what, ".jsonl")):
            records[record.id] = record
    for name in journals(place, job):
        for record in _records(place, name):
            records[record.id] = record
    return records


def write_records(place: Place, job: Job, records: Mapping[str, Record]) -> None:
    """Write manifest and errors whole, in the order of `records`; the journal goes."""
    write_manifest(place, job, list(records.values()))
    for name in journals(place, job):
        place.remove(name)


def write_manifest(place: Place, job: Job, records: Sequence[Record]) -> None:
    """Write manifest and errors whole."""
    failures = [one for one in records if isinstance(one, FailureRecord)]
    answers = [one for one in records if isinstance(one, PredictionRecord)]
    place.write(job.file("manifest", ".jsonl"), b"".join(map(line_of, answers)))
    errors = job.file("errors", ".jsonl")
    if failures:
        place.write(errors, b"".join(map(line_of, failures)))
    else:
        place.remove(errors)


def journals(place: Place, job: Job) -> list[str]:
    """The journal's files: one in a folder, several parts in a store."""
    stem = job.file("journal", "")
    return sorted(n for n in place.names() if re.fullmatch(rf"{stem}(\.\d+)?\.jsonl", n))


def line_of(record: Record) -> bytes:
    """A record as a line of JSON."""
    return (json.dumps(asdict(record), ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _records(place: Place, name: str) -> Iterator[Record]:
    content = place.read(name) or b""
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            yield FailureRecord(**values) if "error" in values else PredictionRecord(**values)
        except (ValueError, TypeError) as error:
            if number == len(lines) and name.startswith("journal"):
                return
            raise DataError(
                f"{place}/{name}, line {number}: expected a record of fullconv predict, found "
                f"{line[:60]!r}; begin anew with --fresh"
            ) from error


def _pretty(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()
