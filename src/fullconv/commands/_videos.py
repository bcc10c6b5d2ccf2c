"""Videos among what is to be predicted: a video of the overlays for each, frame by frame."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fullconv.commands._show import clock, progress, say
from fullconv.commands._stop import STOPPED, stoppable

if TYPE_CHECKING:
    from fullconv.answering import Answering
    from fullconv.inputs import Input
    from fullconv.video import Answered

# How files begin that hold moving pictures: where in the file, and what.
_BEGINNINGS = (
    (4, b"ftyp"),  # MP4, QuickTime
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),  # MPEG
    (0, b"\x30\x26\xb2\x75"),  # WMV
)


def is_video(item: "Input") -> bool:
    """Whether an input is a video, by its first bytes, or by its name where it lies far away."""
    from fullconv.images import SUFFIXES
    from fullconv.storage import local_path
    from fullconv.videofile import SUFFIXES as VIDEOS

    path = local_path(item.where)
    if Path(item.where).suffix.lower() in SUFFIXES:
        return False
    if path is None or not path.is_file():
        return Path(item.where).suffix.lower() in VIDEOS
    with path.open("rb") as file:
        head = file.read(12)
    known = any(head[at : at + len(sign)] == sign for at, sign in _BEGINNINGS)
    return known or path.suffix.lower() in VIDEOS


def answer_videos(
    videos: "Sequence[Input]", work: "Answering", fresh: bool, quiet: bool
) -> list[dict[str, Any]]:
    """Write OUT/video/NAME.mp4 for each video; those that are there already stay.

    Raises:
        ConfigError: the videos lie far away, or another model's answers lie there.
        typer.Exit: it was asked to stop; the video under way is begun anew the next time.
    """
    from fullconv.errors import ConfigError
    from fullconv.naming import named, share
    from fullconv.storage import Folder, local_path

    done: list[dict[str, Any]] = []
    for item in share(named(videos), work.job.shard):
        source = local_path(item.where)
        if source is None or not isinstance(work.target, Folder):
            raise ConfigError(f"{item.where}: videos are read and written on this machine only")
        target = work.target.root / "video" / f"{item.name}.mp4"
        note = target.with_suffix(".json")
        found = _noted(note) if target.is_file() and not fresh else None
        if found is not None and found["key"] != work.job.key(item.id):
            raise ConfigError(
                f"{target} is the answer of another model or other options; choose another folder "
                "with --out, or begin anew with --fresh"
            )
        done.append(found or _answer(item, source, target, note, work, quiet))
    return done


def _answer(
    item: "Input", source: Path, target: Path, note: Path, work: "Answering", quiet: bool
) -> dict[str, Any]:
    from fullconv.answering import Loaded
    from fullconv.atomic import write_text
    from fullconv.video import describe, overlay_video
    from fullconv.videofile import read_facts

    facts, frames = read_facts(source), 0
    say(f"{source}: {describe(facts)}")
    work.prepare()
    events = overlay_video(source, target, lambda frame: work.compute(Loaded(frame, 0)))
    with stoppable() as stopped, progress(quiet) as bar:
        task = bar.add_task("predicting", total=facts.frames)
        for event in events:
            frames = event.number
            bar.update(task, completed=frames, description=_left(event))
            if stopped:
                events.close()  # type: ignore[attr-defined]
                say(f"Stopped at frame {frames}; nothing is left of {target}.")
                raise typer.Exit(STOPPED[stopped[0]])
    said = {"id": item.id, "key": work.job.key(item.id), "file": str(target), "frames": frames}
    write_text(note, json.dumps(said, ensure_ascii=False) + "\n")
    say(f"{frames} frames -> {target}")
    return said


def _left(event: "Answered") -> str:
    return "predicting" if event.remaining is None else f"left {clock(event.remaining)}"


def _noted(note: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and "key" in values else None
