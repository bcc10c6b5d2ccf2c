"""Inputs that are answered piece by piece, each by all of this process: rasters and videos."""

import csv
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fullconv.batch.class_areas import class_pixels
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.batch.rasters.label import label_raster
from fullconv.batch.rasters.outputs import Target
from fullconv.batch.video import describe, overlay_video
from fullconv.batch.worker import Worker, files_of
from fullconv.errors import MissingExtraError, OutputError
from fullconv.io.rasters import look, tags_of
from fullconv.io.storage import Folder
from fullconv.io.video import read_facts


@dataclass(frozen=True)
class Progress:
    """How far a raster or a video is answered.

    Attributes:
        item: the input.
        done: its pixels, or frames, that are answered.
        total: all of them; None where nobody knows.
        note: what the user should know now, in a sentence; mostly "".
    """

    item: Input
    done: int
    total: int | None
    note: str = ""


Steps = Generator[Progress | Record, None, None]


def answered(work: Worker, item: Input, fresh: bool = False) -> Steps:
    """Answer one input; the last that is given is its record.

    Args:
        work: how.
        item: a raster or a video; `work` writes to a folder.
        fresh: begin a raster anew, also where parts of it are done.

    Raises:
        OutputError: the answer cannot be written.
        MissingExtraError: what reads the input is not installed.
    """
    answer = _video(work, item) if item.medium == "video" else _raster(work, item, fresh)
    try:
        with closing(answer):
            yield from answer
    except (OutputError, MissingExtraError):  # no fault of this input
        raise
    except Exception as error:  # whatever is wrong with one input must not stop the others
        yield work.failed(item, error)


def _raster(work: Worker, item: Input, fresh: bool) -> Steps:
    source, files = work.path_of(item), files_of(item, work.kinds)
    assert isinstance(work.target, Folder)  # anything else was refused
    paths = {kind: work.target.root / name for kind, name in files.items()}
    target = Target(paths["labels"], paths["areas"], paths.get("geojson"))
    labelling = label_raster(
        work.fresh(),
        source,
        target,
        memory=work.budget,
        bands=work.reading.bands,
        limits=work.reading.limits,
        fingerprint=work.job.model,
        fresh=fresh,
    )
    with closing(labelling) as steps:
        for step in steps:
            yield Progress(item, step.done, step.pixels, step.note)
    signs = look(target.labels)
    assert signs is not None  # it was written
    yield work.record(
        item,
        height=signs.height,
        width=signs.width,
        bytes=source.stat().st_size,
        files=files,
        pixels=_pixels(paths["areas"]),
        note=tags_of(target.labels)["FULLCONV_PROTOCOL"],
    )


def _pixels(areas: Path) -> dict[str, int]:
    """Class -> its pixels, from a raster's areas; the last row is no class."""
    rows = list(csv.DictReader(areas.read_text(encoding="utf-8").splitlines()))
    return {row["class"]: int(row["pixels"]) for row in rows[:-1]}


def _video(work: Worker, item: Input) -> Steps:
    source, files = work.path_of(item), files_of(item, work.kinds)
    assert isinstance(work.target, Folder)
    shape, pixels = (0, 0), np.zeros(len(work.job.classes), np.int64)
    facts = read_facts(source)
    yield Progress(item, 0, facts.frames, describe(facts))
    with work.borrow() as model:
        video = overlay_video(
            source, work.target.root / files["video"], lambda frame: work.answer(model, frame)
        )
        with closing(video) as events:
            for event in events:
                shape = event.answer.labels.shape
                pixels += class_pixels(event.answer)
                yield Progress(item, event.number, event.frames)
    yield work.record(
        item,
        height=shape[0],
        width=shape[1],
        bytes=source.stat().st_size,
        files=files,
        pixels=dict(zip(work.job.classes, pixels.tolist(), strict=True)),
    )
