"""Many inputs being answered, as a terminal sees it: what is skipped, the time left, the end."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import Progress as Bar
from rich.progress import TaskID

from fullconv.cli._console import progress, say
from fullconv.cli._signals import STOPPED, stoppable

if TYPE_CHECKING:
    from fullconv.batch.large_inputs import Progress
    from fullconv.batch.manifest import PredictionRecord, Record
    from fullconv.batch.resume import PendingWork


MEGA = 1_000_000
REPLACED = {"labels", "overlay"}  # kinds in whose place rasters and videos have something


def follow(todo: "PendingWork", quiet: bool = False) -> "dict[str, Record]":
    """Answer what is left, telling how it goes; gives all records, of before and now.

    Raises:
        typer.Exit: it was asked to stop; everything that was answered is saved.
    """
    from fullconv.batch.large_inputs import Progress
    from fullconv.batch.run import events

    records, began = dict(todo.records), monotonic()
    _tell_before(todo)
    with stoppable() as stopped, progress(quiet) as bar:
        telling = _Telling(todo, bar, quiet)
        for event in events(todo, stopped):
            if isinstance(event, Progress):
                telling.step(event)
            else:
                records[event.id] = event
                telling.end(event)
    telling.rest()
    _tell_after(todo, records, monotonic() - began)
    if stopped:
        left = [item.medium for item in todo.inputs if item.id not in records]
        say(f"Stopped; {counted(left)} left.")
        say(f"Go on with:  the same command and --out {todo.work.out}")
        raise typer.Exit(STOPPED[stopped[0]])
    return {item.id: records[item.id] for item in todo.inputs}


def counted(media: Iterable[str]) -> str:
    """How many there are of each: "5 photos, 1 raster"."""
    found = Counter(media)
    parts = [
        f"{count:,} {medium}{'s' if count != 1 else ''}"
        for medium in ("photo", "raster", "video")
        if (count := found[medium])
    ]
    return ", ".join(parts) or "0 photos"


def as_json(records: "dict[str, Record]") -> dict[str, Any]:
    """What --json writes: files and areas of each answer, and why others failed."""
    from fullconv.batch.manifest import FailureRecord

    answers = [
        {"id": one.id, "name": one.name, "files": one.files, "areas": one.areas}
        for one in _answers(records)
    ]
    failed = [one.error for one in records.values() if isinstance(one, FailureRecord)]
    return {"answers": answers, "failed": failed}


def medium_of(answer: "PredictionRecord") -> str:
    """What an answer's input was, by its files."""
    return "video" if "video" in answer.files else "raster" if "areas" in answer.files else "photo"


class _Telling:
    """Says what happens, on bars and in lines."""

    def __init__(self, todo: "PendingWork", bar: Bar, quiet: bool) -> None:
        self._todo, self._bar, self._quiet = todo, bar, quiet
        photos = sum(item.medium == "photo" for item in todo.left)
        self._photos = bar.add_task("photos", total=photos, visible=photos > 0)
        self._large: dict[str, TaskID] = {}
        self._noted = 0

    def step(self, event: "Progress") -> None:
        """A raster or a video went on."""
        item, unit = event.item, MEGA if event.item.medium == "raster" else 1
        if item.id not in self._large:
            what = "megapixels" if item.medium == "raster" else "frames"
            self._large[item.id] = self._bar.add_task(f"{Path(item.where).name}, {what}")
        total = event.total / unit if event.total else None
        self._bar.update(self._large[item.id], completed=event.done / unit, total=total)
        if event.note and not self._quiet:
            say(f"{item.id}: {event.note}")

    def end(self, record: "Record") -> None:
        """An input has its record."""
        from fullconv.batch.manifest import FailureRecord

        if record.id in self._large:
            self._bar.update(self._large[record.id], visible=False)
        else:
            self._bar.advance(self._photos)
        if isinstance(record, FailureRecord):
            say(f"skipped: {record.error}")
        elif medium_of(record) != "photo":
            say(f"{record.id} -> {_written(record, self._todo.work.out)}")
        elif record.note:
            self._noted += 1
            if self._noted == 1:
                say(f"{record.id}: {record.note}")

    def rest(self) -> None:
        """What was not said of each."""
        if self._noted > 1:
            say(f"the same holds for {self._noted - 1} more; manifest.jsonl says for which")


def _written(answer: "PredictionRecord", out: str) -> str:
    files = ", ".join(f"{out}/{name}" for name in answer.files.values())
    if medium_of(answer) == "raster":
        return files
    frames = sum(answer.pixels.values()) // (answer.height * answer.width)
    return f"{frames:,} frames in {files}"


def _tell_before(todo: "PendingWork") -> None:
    out = todo.work.out
    if todo.records:
        say(f"already in {out}: {_told(todo, todo.records)}")
    if todo.others:
        say(f"{todo.others:,} answers to other inputs stay in {out}, but not in its lists")
    left, others = {item.medium for item in todo.left}, set(todo.work.kinds) - REPLACED
    if "raster" in left and (left_out := sorted(others - {"geojson"})):
        say(f"a raster gets labels, areas and geojson, without {', '.join(left_out)}")
    if "video" in left and others:
        say(f"a video gets a video of overlays, without {', '.join(sorted(others))}")


def _tell_after(todo: "PendingWork", records: "dict[str, Record]", seconds: float) -> None:
    from fullconv.batch.manifest import FailureRecord

    job, out = todo.work.job, todo.work.out
    new = len(records) - len(todo.records)
    photos_only = all(item.medium == "photo" for item in todo.inputs)
    where = _where(todo, records)
    rate = f", {new / seconds:.1f} photos/s" if where and new > 1 and photos_only else ""
    say(f"{_told(todo, records)}{rate}{where}")
    if any(isinstance(record, FailureRecord) for record in records.values()):
        say(f"what failed  {out}/{job.file('errors', '.jsonl')}; again: --retry-failed")


def _told(todo: "PendingWork", records: "dict[str, Record]") -> str:
    """How many inputs were answered, and how many failed."""
    answers = {one.id for one in _answers(records)}
    done = counted(item.medium for item in todo.inputs if item.id in answers)
    return f"{done}, {len(records) - len(answers):,} failed"


def _where(todo: "PendingWork", records: "dict[str, Record]") -> str:
    """The folders and files that were written, in a few words."""
    from fullconv.batch.collect import roots

    names = (name for one in _answers(records) for name in one.files.values())
    folders = list(dict.fromkeys(name.partition("/")[0] for name in names))
    if not folders:
        return ""
    first = folders[0] if len(folders) == 1 else f"{{{','.join(folders)}}}"
    job = todo.work.job
    return f" -> {todo.work.out}/" + ", ".join([first, job.file("areas", ".csv"), *roots(job)])


def _answers(records: "dict[str, Record]") -> "list[PredictionRecord]":
    from fullconv.batch.manifest import PredictionRecord

    return [one for one in records.values() if isinstance(one, PredictionRecord)]
