"""fullconv predict: the class of every pixel of new photos, rasters and videos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli import _predict_options as options
from fullconv.cli._console import write_json
from fullconv.cli._options import MODEL, Device, Json, Quiet
from fullconv.cli._predict_progress import as_json, follow
from fullconv.cli._predict_raster import answer_one, is_one_file
from fullconv.cli._verify_tiles import verify

if TYPE_CHECKING:
    from fullconv.batch.resume import PendingWork
    from fullconv.inference.predictor import Prediction


NEW = str(Path("runs", "predict", "new"))  # until it is certain that answers will come


def command(
    model: Annotated[str, typer.Argument(help=MODEL)],
    photos: options.Photos,
    out: options.Out = None,
    save: options.Save = "labels,overlay",
    memory: options.Memory = None,
    tta: options.Tta = False,
    scales: options.Scales = None,
    verify_tiles: options.VerifyTiles = False,
    shard: options.Shard = None,
    engine: options.Engine = "local",
    threads: options.Threads = None,
    retry_failed: options.RetryFailed = False,
    fresh: options.Fresh = False,
    bands: options.Bands = None,
    limits: options.Limits = None,
    device: Device = "auto",
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Label photos: OUT/labels/NAME.png (values are classes), OUT/overlay/NAME.jpg, areas.csv.

    A GeoTIFF becomes OUT/labels/NAME.tif, a video OUT/video/NAME.mp4. The same command goes on
    where it was stopped or killed, and does nothing twice.
    """
    from fullconv.batch.inputs import detect_media, resolve_inputs
    from fullconv.batch.job import create_job
    from fullconv.batch.resume import plan_resume
    from fullconv.export.exported import open_model
    from fullconv.hardware import choose_device

    kinds, part = options.kinds_of(save), options.shard_of(shard, out)
    averaged, reading = options.scales_of(tta, scales), options.reading_of(model, bands, limits)
    opened = open_model(model)
    alone = is_one_file(out)
    given = resolve_inputs(photos, outside=None if alone else out)
    inputs = detect_media(given, rasters_only=bool(bands or limits))
    work = create_job(
        opened,
        model,
        inputs,
        out=out or NEW,
        kinds=kinds,
        shard=part,
        device=str(choose_device(device)),
        threads=threads,
        memory=memory,
        scales=averaged,
        reading=reading,
    )
    if alone:
        write_json(json, answer_one(opened, work, inputs, engine, verify_tiles, fresh, quiet))
        return
    todo = plan_resume(work, inputs, engine=engine, retry_failed=retry_failed, fresh=fresh)
    if verify_tiles:
        verify(opened, inputs, reading, memory)
    todo = todo if out else _placed(todo)
    records = follow(todo, quiet)
    write_json(json, {"folder": todo.work.out, **as_json(records)})
    if records and all(hasattr(record, "error") for record in records.values()):
        raise typer.Exit(2)


def _placed(todo: "PendingWork") -> "PendingWork":
    """The same in a new run folder."""
    from fullconv.training.run.folder import create

    folder = create(Path("runs"), "predict", Path(todo.work.model).stem).folder
    return replace(todo, work=replace(todo.work, out=str(folder)))


def write(answer: "Prediction", folder: Path, name: str, kinds: Sequence[str]) -> None:
    """Write one answer's files."""
    from fullconv.batch.inputs import Input
    from fullconv.batch.worker import files_of
    from fullconv.batch.writers import writers
    from fullconv.io.atomic import write_bytes

    for kind, file in files_of(Input(name, name, name), kinds).items():
        write_bytes(folder / file, writers[kind].encode(answer))
