"""The lists next to the predictions: the job, its predictions and its failures.

    predict.json      the job: model, options, number of inputs
    manifest.jsonl    one line per prediction: id, path, files, pixels of each class
    errors.jsonl      one line per failed input: id, path, error
    journal.jsonl     only while a job runs, or after a kill: lines in order of completion

Shard i of n has its own files: manifest-i-of-n.jsonl and so on.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fullconv.batch.stored import check_types, parse_object
from fullconv.config import Head
from fullconv.errors import DataError
from fullconv.io.contained import is_contained
from fullconv.io.output_text import json_bytes
from fullconv.io.palettes import Palette
from fullconv.io.storage import Place

FORMAT = 1


@dataclass(frozen=True)
class PredictionRecord:
    """A predicted photo, raster or video.

    Attributes:
        id: the input's id.
        path: the input's path or URL.
        name: of the output files, without suffix.
        key: a hash of id, model and options; equal keys mean equal predictions.
        height: of the photo, raster or frame, in pixels.
        width: likewise.
        bytes: size of the input's file.
        modified: when the input's file was last changed, in UTC; "" for URLs.
        digest: of the input's content; "" for URLs, rasters and videos.
        files: kind -> path below the output folder.
        pixels: class -> number of pixels; of a video, in all frames.
        note: how it was predicted, if a user should know; else "".
        heads: head -> class -> number of pixels, if the model has several heads; `pixels` is that
            of the first.
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
    modified: str = ""
    digest: str = ""
    heads: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def areas(self) -> dict[str, float]:
        """Class -> its share of the pixels that have a class, in [0, 1]."""
        return _shares(self.pixels)

    @property
    def head_areas(self) -> dict[str, dict[str, float]]:
        """Head -> class -> its share, of each of several heads; {} for one."""
        return {name: _shares(pixels) for name, pixels in self.heads.items()}


@dataclass(frozen=True)
class FailureRecord:
    """An input that could not be predicted.

    Attributes:
        id: the input's id.
        path: the input's path or URL.
        error: a sentence for the user.
        unexpected: whether the reason is neither the input nor a setting, but probably a bug.
    """

    id: str
    path: str
    error: str
    unexpected: bool = False


Record = PredictionRecord | FailureRecord


@dataclass(frozen=True)
class JobDescription:
    """The content of predict.json: which job the predictions in a folder belong to.

    Attributes:
        model: fingerprint of the model's file.
        options: all other options that the predictions depend on.
        classes: class names.
        inputs: number of inputs of all shards.
        ids: fingerprint of their ids.
        shard: (index, number of shards); (0, 1) is an undivided job.
        mine: number of inputs of this shard.
        palette: colours of the classes.
        engine: what computes photos and videos: torch, onnx or openvino.
        engine_pixels: pixels of the largest image that it computes, other than torch; PyTorch
            computes larger ones.
        left_out: what was found in folders and is no input, e.g. {"pictures": {".heic": 5}}.
        heads: the heads whose predictions are written, if there are several; `classes` and
            `palette` are those of the first.
    """

    model: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    inputs: int
    ids: str
    shard: tuple[int, int] = (0, 1)
    mine: int = 0
    palette: Palette = ()
    engine: str = "torch"
    engine_pixels: int = 0
    left_out: dict[str, Any] = field(default_factory=dict)
    heads: tuple[Head, ...] = ()

    def by_head(self) -> "dict[str, JobDescription]":
        """Return the job of each head by the folder of its files: "geometric/"; "" for one head."""
        return {
            f"{head.name}/": replace(self, classes=head.classes, palette=head.palette, heads=())
            for head in self.heads
        } or {"": self}

    @property
    def head_names(self) -> tuple[str, ...]:
        """The names of several heads; () for one."""
        return tuple(head.name for head in self.heads)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The output kinds that are written of each photo."""
        return tuple(self.options.get("save", ()))

    def key(self, input_id: str) -> str:
        """Return the hash of everything that the prediction of an input depends on."""
        # The engine of an exported file follows from the file.
        engine = [self.engine, self.engine_pixels] if self.engine_pixels else []
        parts = json.dumps([input_id, self.model, self.options, *engine], sort_keys=True)
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def file(self, stem: str, suffix: str) -> str:
        """Return the name of a list of this shard, e.g. of "manifest" and ".jsonl"."""
        index, count = self.shard
        return f"{stem}{suffix}" if count == 1 else f"{stem}-{index}-of-{count}{suffix}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of manifest, errors and job file; without the journal."""
        manifests = [self.file(stem, ".jsonl") for stem in ("manifest", "errors")]
        return (*manifests, self.file("predict", ".json"))


def _shares(pixels: Mapping[str, int]) -> dict[str, float]:
    total = max(1, sum(pixels.values()))
    return {name: count / total for name, count in pixels.items()}


def is_job_file(name: str) -> bool:
    """Return whether a file of this name marks its folder as an output folder."""
    return re.fullmatch(r"predict(-\d+-of-\d+)?\.json", name) is not None


def read_jobs(place: Place) -> list[JobDescription]:
    """Read all job files of a place.

    Raises:
        DataError: one of them is damaged.
    """
    return [read_job_file(place, name) for name in read_job_names(place)]


def read_job_names(place: Place) -> list[str]:
    """Return the names of all job files of a place."""
    return sorted(filter(is_job_file, place.names()))


def read_job_file(place: Place, name: str) -> JobDescription:
    """Read one job file.

    Raises:
        DataError: it is damaged.
    """
    try:
        values = parse_object(place.read(name) or b"")
        if (version := values.pop("format")) != FORMAT:
            raise ValueError(f"format {version}, expected {FORMAT}")
        values |= {key: tuple(values[key]) for key in ("classes", "shard")}
        values["palette"] = tuple(tuple(color) for color in values.get("palette", ()))
        values["heads"] = tuple(Head(**head) for head in values.get("heads", ()))
        job = check_types(JobDescription(**values))
        if job.file("predict", ".json") != name or not 0 <= job.shard[0] < job.shard[1]:
            raise ValueError(f"shard {job.shard} in a file of this name")
        if not all(isinstance(kind, str) for kind in job.kinds):
            raise ValueError(f"save {job.kinds}")
        return job
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"not a job file of fullconv predict ({str(error)[:80]})",
            remedy="start over with --fresh",
            where=f"{place}/{name}",
        ) from error


def read_job(place: Place, shard: tuple[int, int]) -> JobDescription | None:
    """Read the job file of one shard; None if the shard has not been started."""
    name = JobDescription("", {}, (), 0, "", shard).file("predict", ".json")
    return read_job_file(place, name) if name in place.names() else None


def write_job(place: Place, job: JobDescription) -> None:
    """Write a shard's job file."""
    values = {"format": FORMAT, **asdict(job)}
    values["heads"] = [head.model_dump(mode="json") for head in job.heads]
    values = {key: value for key, value in values.items() if value or key != "heads"}
    place.write(job.file("predict", ".json"), json_bytes(values, indent=2))


def read_records(
    place: Place, job: JobDescription, skipped: list[str] | None = None
) -> dict[str, Record]:
    """Read a shard's records by id: manifest and errors, overridden by the journal's lines.

    Args:
        place: the output folder.
        job: says which shard.
        skipped: gets a sentence for each damaged line; None raises an error instead.

    Raises:
        DataError: a list is damaged.
    """
    records: dict[str, Record] = {}
    lists = [job.file(stem, ".jsonl") for stem in ("manifest", "errors")]
    for name in (*lists, *journal_files(place, job)):
        for record in _read_lines(place, name, skipped):
            records[record.id] = record
    return records


def write_records(place: Place, job: JobDescription, records: Mapping[str, Record]) -> None:
    """Write manifest and errors in the order of `records`, then remove the journal."""
    write_manifest(place, job, list(records.values()))
    for name in journal_files(place, job):
        place.remove(name)


def write_manifest(place: Place, job: JobDescription, records: Sequence[Record]) -> None:
    """Write manifest and errors; without failures, errors.jsonl is removed."""
    failures = [record for record in records if isinstance(record, FailureRecord)]
    predictions = [record for record in records if isinstance(record, PredictionRecord)]
    place.write(job.file("manifest", ".jsonl"), b"".join(map(to_json_line, predictions)))
    errors = job.file("errors", ".jsonl")
    if failures:
        place.write(errors, b"".join(map(to_json_line, failures)))
    else:
        place.remove(errors)


def lists_fingerprint(place: Place, job: JobDescription) -> str:
    """Return a fingerprint of a shard's lists in a folder, whatever its journal's last line."""
    digest = hashlib.sha256()
    for name in (*job.files, job.file("journal", ".jsonl")):
        content = place.read(name) or b""
        digest.update(hashlib.sha256(content[: content.rfind(b"\n") + 1]).digest())
    return digest.hexdigest()


def journal_files(place: Place, job: JobDescription) -> list[str]:
    """Return the names of a shard's journal: one file in a folder, numbered parts in a store."""
    stem = job.file("journal", "")
    return sorted(n for n in place.names() if re.fullmatch(rf"{stem}(\.\d+)?\.jsonl", n))


def to_json_line(record: Record) -> bytes:
    """Return a record as one line of JSON."""
    values = asdict(record)
    return json_bytes({key: value for key, value in values.items() if value or key != "heads"})


def _read_lines(place: Place, name: str, skipped: list[str] | None) -> Iterator[Record]:
    content = place.read(name) or b""
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _parse_record(line)
        except ValueError as error:
            if number == len(lines) and name.startswith("journal"):  # cut off by a power failure
                return
            damaged = DataError(
                f"{error} in {line[:60].decode(errors='replace')!r}",
                "a record of fullconv predict",
                "start over with --fresh",
                where=f"{place}/{name}, line {number}",
            )
            if skipped is None:
                raise damaged from error
            skipped.append(damaged.problem)


def _parse_record(line: bytes) -> Record:
    values = parse_object(line)
    try:
        record: Record = (FailureRecord if "error" in values else PredictionRecord)(**values)
    except TypeError as error:
        raise ValueError("missing or unknown keys") from error
    check_types(record)
    if isinstance(record, FailureRecord):
        return record
    if "/" in record.name:
        raise ValueError(f"the name {record.name!r}")
    for kind, file in record.files.items():
        folder, _, name = file.rpartition("/")
        if not (is_contained(file) and folder == kind and name.startswith(f"{record.name}.")):
            raise ValueError(f"the file {file!r}, which is not in the folder {kind}/ of this job,")
    return record
