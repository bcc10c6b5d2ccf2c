"""The terminal output of a prediction job: progress bars, skipped inputs, the summary."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import Progress, TaskID

from fullconv.cli._console import progress_bar, say, saying_if_busy
from fullconv.cli._signals import EXIT_CODES, collect_signals

if TYPE_CHECKING:
    from fullconv.batch.large_inputs import InputProgress
    from fullconv.batch.manifest import FailureRecord, PredictionRecord, Record
    from fullconv.batch.resume import PendingWork


MEGA = 1_000_000
PHOTO_KINDS = {"labels", "overlay"}  # kinds that rasters and videos have a counterpart of


def show_progress(pending: "PendingWork", quiet: bool = False) -> "dict[str, Record]":
    """Run a job, show its progress, and return all records by id, including earlier ones.

    Raises:
        typer.Exit: a signal asked to stop; all finished predictions are saved.
    """
    from fullconv.batch.large_inputs import InputProgress
    from fullconv.batch.run import run_with_progress

    records, start = dict(pending.records), monotonic()
    _print_before(pending)
    busy = saying_if_busy(pending.executor == "local")
    with busy, collect_signals() as stop_requests, progress_bar(quiet) as bar:
        display = _Display(pending, bar, quiet)
        for event in run_with_progress(pending, stop_requests):
            if isinstance(event, InputProgress):
                display.update(event)
            else:
                records[event.id] = event
                display.finish_input(event)
    display.finish()
    _print_after(pending, records, monotonic() - start)
    if stop_requests:
        left = [item.medium for item in pending.inputs if item.id not in records]
        say(f"Stopped; {format_counts(left)} left.")
        say(f"Resume with the same command and --out {pending.job.out}")
        raise typer.Exit(EXIT_CODES[stop_requests[0]])
    return {item.id: records[item.id] for item in pending.inputs}


def format_counts(media: Iterable[str]) -> str:
    """Count photos, rasters and videos: "5 photos, 1 raster"."""
    counts = Counter(media)
    parts = [
        f"{count:,} {medium}{'s' if count != 1 else ''}"
        for medium in ("photo", "raster", "video")
        if (count := counts[medium])
    ]
    return ", ".join(parts) or "0 photos"


def format_failures(failed: "Sequence[FailureRecord]", errors: str) -> str:
    """Return the last line of a job with failures; `errors` is the list of them."""
    images = "1 image" if len(failed) == 1 else f"{len(failed):,} images"
    count = sum(record.unexpected for record in failed)
    unexpected = f", {count:,} of them for an unexpected reason" if count else ""
    return f"{images} failed{unexpected}; see {errors}. Retry with --retry-failed."


def as_json(records: "dict[str, Record]") -> dict[str, Any]:
    """Return what --json writes: files and class areas of each prediction, and the failures."""
    predictions = [
        {
            "id": record.id,
            "name": record.name,
            "files": record.files,
            "areas": record.areas,
            **({"heads": record.head_areas} if record.heads else {}),
        }
        for record in _predictions(records)
    ]
    return {"predictions": predictions, "failed": [r.error for r in _failures(records)]}


def medium_of(record: "PredictionRecord") -> str:
    """Return the medium of a prediction's input, by its files."""
    return "video" if "video" in record.files else "raster" if "areas" in record.files else "photo"


class _Display:
    """Progress bars for photos and for each large input, with lines above them."""

    def __init__(self, pending: "PendingWork", bar: Progress, quiet: bool) -> None:
        self._out, self._bar, self._quiet = pending.job.out, bar, quiet
        photos = sum(item.medium == "photo" for item in pending.left)
        self._photos = bar.add_task("photos", total=photos, visible=photos > 0)
        self._large: dict[str, TaskID] = {}
        self._notes = 0

    def update(self, event: "InputProgress") -> None:
        """Show the progress of a raster or a video."""
        item, unit = event.item, MEGA if event.item.medium == "raster" else 1
        if item.id not in self._large:
            what = "megapixels" if item.medium == "raster" else "frames"
            self._large[item.id] = self._bar.add_task(f"{Path(item.where).name}, {what}")
        total = event.total / unit if event.total else None
        self._bar.update(self._large[item.id], completed=event.done / unit, total=total)
        if event.note and not self._quiet:
            say(f"{item.id}: {event.note}")

    def finish_input(self, record: "Record") -> None:
        """Show that an input is done, or why it failed."""
        from fullconv.batch.manifest import FailureRecord

        if record.id in self._large:
            self._bar.update(self._large[record.id], visible=False)
        else:
            self._bar.advance(self._photos)
        if isinstance(record, FailureRecord):
            say(f"skipped: {record.error}")
        elif medium_of(record) != "photo":
            say(f"{record.id} -> {_format_files(record, self._out)}")
        elif record.note:
            self._notes += 1
            if self._notes == 1:
                say(f"{record.id}: {record.note}")

    def finish(self) -> None:
        """Print how many photos had the same kind of note as the first."""
        if self._notes > 1:
            say(f"{self._notes - 1} more photos have a note; see manifest.jsonl")


def _format_files(record: "PredictionRecord", out: str) -> str:
    files = ", ".join(f"{out}/{name}" for name in record.files.values())
    if medium_of(record) == "raster":
        return files
    frames = sum(record.pixels.values()) // (record.height * record.width)
    return f"{frames:,} frames in {files}"


def _print_before(pending: "PendingWork") -> None:
    out = pending.job.out
    for note in pending.notes:
        say(note)
    if pending.records:
        say(f"already in {out}: {_format_totals(pending, pending.records)}")
    if pending.others:
        say(f"{out} keeps {pending.others:,} predictions of other inputs, which are not listed")
    left, others = {item.medium for item in pending.left}, set(pending.job.kinds) - PHOTO_KINDS
    if "raster" in left and (unsupported := sorted(others - {"geojson"})):
        say(f"rasters get labels, areas and geojson, not {', '.join(unsupported)}")
    if "video" in left and others:
        say(f"videos get an overlay video, not {', '.join(sorted(others))}")


def _print_after(pending: "PendingWork", records: "dict[str, Record]", seconds: float) -> None:
    job = pending.job
    new = len(records) - len(pending.records)
    photos_only = all(item.medium == "photo" for item in pending.inputs)
    written = _format_written(pending, records)
    rate = f", {new / seconds:.1f} photos/s" if written and new > 1 and photos_only else ""
    say(f"{_format_totals(pending, records)}{rate}{written}")
    if rate and (shares := pending.times.shares):
        stages = zip(("reading", "computing", "writing"), shares.values(), strict=True)
        say("time spent: " + ", ".join(f"{what} {share:.0%}" for what, share in stages))
    if failed := _failures(records):
        say(format_failures(failed, f"{job.out}/{job.description.file('errors', '.jsonl')}"))


def _format_totals(pending: "PendingWork", records: "dict[str, Record]") -> str:
    predicted = {record.id for record in _predictions(records)}
    done = format_counts(item.medium for item in pending.inputs if item.id in predicted)
    return f"{done}, {len(_failures(records)):,} failed"


def _format_written(pending: "PendingWork", records: "dict[str, Record]") -> str:
    """Return the written folders and files in a few words; "" if there are none."""
    from fullconv.batch.collect import area_files, collected_paths

    names = (name for record in _predictions(records) for name in record.files.values())
    folders = list(dict.fromkeys(name.split("/")[-2] for name in names))
    if not folders:
        return ""
    first = folders[0] if len(folders) == 1 else f"{{{','.join(folders)}}}"
    description = pending.job.description
    if heads := description.head_names:
        alone = next(iter(description.by_head().values()))
        files = [first, *area_files(alone), *collected_paths(alone)]
        return f" -> {pending.job.out}/{{{','.join(heads)}}}/{', '.join(files)}"
    files = [first, *area_files(description), *collected_paths(description)]
    return f" -> {pending.job.out}/{', '.join(files)}"


def _predictions(records: "dict[str, Record]") -> "list[PredictionRecord]":
    from fullconv.batch.manifest import PredictionRecord

    return [record for record in records.values() if isinstance(record, PredictionRecord)]


def _failures(records: "dict[str, Record]") -> "list[FailureRecord]":
    from fullconv.batch.manifest import FailureRecord

    return [record for record in records.values() if isinstance(record, FailureRecord)]
