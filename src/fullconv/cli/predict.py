"""fullconv predict: predict the class of every pixel of photos, rasters and videos."""

from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli import _predict_options as options
from fullconv.cli._console import say, write_json
from fullconv.cli._options import MODEL, Device, Engine, Head, Json, Quiet, say_taken
from fullconv.cli._predict_progress import as_json, show_progress
from fullconv.cli._predict_raster import names_one_file, predict_one_raster
from fullconv.cli._verify_tiles import verify_tiled

if TYPE_CHECKING:
    from fullconv.batch.resume import PendingWork


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, callback=say_taken)],
    photos: options.Photos,
    out: options.Out = None,
    save: options.Save = "labels,overlay",
    memory: options.Memory = None,
    tta: options.Tta = False,
    scales: options.Scales = None,
    verify_tiles: options.VerifyTiles = False,
    shard: options.Shard = None,
    engine: Engine = "auto",
    executor: options.Executor = "local",
    threads: options.Threads = None,
    retry_failed: options.RetryFailed = False,
    fresh: options.Fresh = False,
    bands: options.Bands = None,
    limits: options.Limits = None,
    head: Head = None,
    device: Device = "auto",
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Predict photos, rasters and videos.

    Writes OUT/labels/NAME.png (pixel values are classes), OUT/overlay/NAME.jpg and OUT/areas.csv; a
    GeoTIFF becomes OUT/labels/NAME.tif, a video OUT/video/NAME.mp4. Of several heads, each has a
    folder: OUT/HEAD/labels/NAME.png. After an interruption, the same command resumes; nothing is
    computed twice.
    """
    from fullconv.batch.create_job import create_job
    from fullconv.batch.inputs import detect_media, resolve_inputs
    from fullconv.batch.left_out import LeftOut
    from fullconv.batch.resume import plan_resume
    from fullconv.hardware import choose_device
    from fullconv.model import load

    kinds, part = options.parse_kinds(save), options.parse_shard(shard, out)
    opened = load(model)
    opened = opened.one_head(head) if head else opened
    band_choice = options.parse_band_choice(bands, limits).or_else(opened.band_choice)
    averaged = options.parse_scales(tta, scales, opened.tta_scales)
    one_file = names_one_file(out)
    left_out = LeftOut()
    found = resolve_inputs(photos, None if one_file else out, left_out)
    inputs = detect_media(found, rasters_only=band_choice.is_explicit)
    job = create_job(
        opened,
        model,
        inputs,
        out=out or _unused_folder(),
        kinds=kinds,
        shard=part,
        device=str(choose_device(device)),
        threads=threads,
        memory=memory,
        scales=averaged,
        band_choice=band_choice,
        head=head or "",
        left_out=left_out,
        engine=engine,
        distributed=executor != "local",
        fresh=fresh,
        announce=say if not quiet else lambda text: None,
    )
    for sentence in left_out.sentences():
        say(sentence)
    if one_file:
        result = predict_one_raster(opened, job, inputs, executor, verify_tiles, fresh, quiet)
        write_json(json, result)
        return
    pending = plan_resume(job, inputs, executor=executor, retry_failed=retry_failed, fresh=fresh)
    if verify_tiles:
        verify_tiled(opened, inputs, band_choice, memory)
    _run(pending if out else _with_new_folder(pending), json, quiet)


def _run(pending: "PendingWork", json: Path | None, quiet: bool) -> None:
    from fullconv.batch.manifest import FailureRecord

    records = show_progress(pending, quiet)
    left_out = pending.job.description.left_out
    facts = {"engine": pending.job.description.engine, "left_out": left_out}
    facts["seconds"] = pending.times.seconds  # of each stage of the photos
    write_json(json, {"folder": pending.job.out, **as_json(records), **facts})
    failed = [record for record in records.values() if isinstance(record, FailureRecord)]
    if any(record.unexpected for record in failed):
        raise typer.Exit(1)
    if records and len(failed) == len(records):
        raise typer.Exit(2)


def _unused_folder() -> str:
    """Return a folder that does not exist, for a job until all its options have been checked."""
    while (folder := Path("runs", "predict", f"new-{token_hex(8)}")).exists():
        pass
    return str(folder)


def _with_new_folder(pending: "PendingWork") -> "PendingWork":
    from fullconv.training.run.folder import create_run

    folder = create_run(Path("runs"), "predict", Path(pending.job.model).stem).folder
    return replace(pending, job=replace(pending.job, out=str(folder)))
