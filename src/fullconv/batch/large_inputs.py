"""Predict rasters and videos, piece by piece, one input at a time."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fullconv.batch.class_areas import count_pixels
from fullconv.batch.fingerprint import file_state
from fullconv.batch.inputs import Input
from fullconv.batch.job import PredictionJob
from fullconv.batch.manifest import Record
from fullconv.batch.rasters.label import label_raster
from fullconv.batch.rasters.outputs import RasterOutputs
from fullconv.batch.video import describe_video, overlay_video
from fullconv.batch.worker import Worker
from fullconv.errors import FullconvError, MissingExtraError, OutputError
from fullconv.io.rasters import read_raster_header, read_tags
from fullconv.io.storage import Folder
from fullconv.io.text import parse_csv, read_utf8
from fullconv.io.video import read_info


@dataclass(frozen=True)
class InputProgress:
    """Progress of a raster or a video.

    Attributes:
        item: the input.
        done: pixels or frames predicted so far.
        total: pixels or frames in all; None if unknown.
        note: a message for the user; mostly "".
    """

    item: Input
    done: int
    total: int | None
    note: str = ""


JobEvents = Generator[InputProgress | Record, None, None]


def predict_large_input(job: PredictionJob, item: Input, fresh: bool = False) -> JobEvents:
    """Predict a raster or a video; yield its progress, then its record.

    Args:
        job: from `for_large_inputs`; writes to a folder.
        item: the raster or video.
        fresh: start a raster over even if parts of it are done.

    Raises:
        OutputError: the prediction cannot be written.
    """
    events = _predict_video(job, item) if item.medium == "video" else _label(job, item, fresh)
    try:
        with closing(events):
            yield from events
    except OutputError:  # not this input's fault: abort the job
        raise
    except MissingExtraError as error:  # photos need no such package
        again = FullconvError(f"{error}; then run the command again with --retry-failed")
        yield Worker(job).record_failure(item, again)
    except Exception as error:  # one bad input must not stop the others
        yield Worker(job).record_failure(item, error)


def _label(job: PredictionJob, item: Input, fresh: bool) -> JobEvents:
    source, files = job.input_path(item), job.output_files(item)
    target, state = job.target, file_state(source)
    assert isinstance(target, Folder)  # checked by plan_resume
    paths = {kind: target.path(name) for kind, name in files.items()}
    labelling = label_raster(
        job.open(),
        source,
        RasterOutputs(paths["labels"], paths["areas"], paths.get("geojson")),
        memory=job.budget,
        band_choice=job.band_choice,
        fingerprint=job.description.model,
        fresh=fresh,
        own=True,  # plan_resume has checked them
    )
    with closing(labelling) as steps:
        for step in steps:
            yield InputProgress(item, step.done, step.pixels, step.note)
    header = read_raster_header(paths["labels"])
    assert header is not None  # label_raster has written it
    yield job.record(
        item,
        height=header.height,
        width=header.width,
        **asdict(state),
        files=files,
        pixels=_read_pixels(paths["areas"], job.description.classes),
        note=read_tags(paths["labels"])["FULLCONV_PROTOCOL"],
    )


def _read_pixels(areas: Path, classes: Sequence[str]) -> dict[str, int]:
    """Read the pixels of each class from a raster's areas file; its last row is no data."""
    titles, *rows = parse_csv(read_utf8(areas))
    label, pixels = titles.index("label"), titles.index("pixels")
    return {classes[int(row[label])]: int(row[pixels]) for row in rows[:-1]}


def _predict_video(job: PredictionJob, item: Input) -> JobEvents:
    source, files = job.input_path(item), job.output_files(item)
    target, classes = job.target, job.description.classes
    assert isinstance(target, Folder)  # checked by plan_resume
    size, pixels = (0, 0), np.zeros(len(classes), np.int64)
    info, state = read_info(source), file_state(source)
    yield InputProgress(item, 0, info.frames, describe_video(info))
    video = overlay_video(
        source, target.path(files["video"]), lambda frame: job.predict(frame, job.memory)
    )
    with closing(video) as frames:
        for frame in frames:
            size = frame.prediction.labels.shape
            pixels += count_pixels(frame.prediction)
            yield InputProgress(item, frame.number, frame.frames)
    yield job.record(
        item,
        height=size[0],
        width=size[1],
        **asdict(state),
        files=files,
        pixels=dict(zip(classes, pixels.tolist(), strict=True)),
    )
