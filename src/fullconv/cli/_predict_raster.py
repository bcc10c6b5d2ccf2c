"""Predict one raster into the file that --out names, e.g. --out labels.tif."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fullconv.cli._console import progress_bar, say
from fullconv.cli._signals import EXIT_CODES, collect_signals
from fullconv.cli._verify_tiles import verify_tiled

if TYPE_CHECKING:
    from fullconv.batch.inputs import Input
    from fullconv.batch.job import PredictionJob
    from fullconv.batch.rasters.outputs import RasterOutputs
    from fullconv.model import Model


MEGA = 1_000_000
TIFF = (".tif", ".tiff")


def names_one_file(out: str | None) -> bool:
    """Return whether --out names a TIFF file rather than a folder.

    Raises:
        ConfigError: it names a picture or a video, which are only written into folders.
    """
    from fullconv.errors import ConfigError
    from fullconv.io.images import SUFFIXES
    from fullconv.io.storage import local_path
    from fullconv.io.video import SUFFIXES as VIDEO_SUFFIXES

    path = local_path(out) if out else None
    if path is None or path.is_dir():
        return False
    suffix = path.suffix.lower()
    if suffix in (*SUFFIXES, *VIDEO_SUFFIXES) and suffix not in TIFF:
        raise ConfigError(f"--out {out} names a file; expected a folder, such as {path.stem}")
    return suffix in TIFF


def predict_one_raster(
    model: "Model",
    job: "PredictionJob",
    inputs: "Sequence[Input]",
    executor: str,
    verify: bool,
    fresh: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Predict a raster into the file of --out, with its areas and polygons next to it.

    Returns:
        What --json writes.

    Raises:
        ConfigError: the input is not a single raster.
        FullconvError: it cannot be predicted.
        typer.Exit: a signal asked to stop; finished parts are kept.
    """
    from fullconv.batch.resume import check_large_inputs

    item = _single_raster(job, inputs)
    check_large_inputs(job, inputs, executor)
    if verify:
        verify_tiled(model, inputs, job.band_choice, job.budget)
    target = _output_files(Path(job.out), job.kinds)
    _show_progress(model, job, item, target, fresh, quiet)
    files = {"labels": target.labels, "areas": target.areas, "geojson": target.polygons}
    return {"id": item.id, "files": {kind: str(path) for kind, path in files.items() if path}}


def _single_raster(job: "PredictionJob", inputs: "Sequence[Input]") -> "Input":
    from fullconv.errors import ConfigError

    out = job.out
    if job.description.shard != (0, 1):
        raise ConfigError(f"--out {out} names a file; --shard needs a folder")
    if len(inputs) == 1 and inputs[0].medium == "raster":
        return inputs[0]
    only = inputs[0].where
    found = f"{len(inputs)} inputs" if len(inputs) > 1 else f"{only}, which is not a raster"
    raise ConfigError(
        f"--out {out} names a file, which needs a single raster as input; found {found}. "
        "Give a folder as --out"
    )


def _output_files(out: Path, kinds: Sequence[str]) -> "RasterOutputs":
    from fullconv.batch.rasters.outputs import RasterOutputs

    polygons = out.with_suffix(".geojson") if "geojson" in kinds else None
    return RasterOutputs(out, out.with_suffix(".areas.csv"), polygons)


def _show_progress(
    model: "Model",
    job: "PredictionJob",
    item: "Input",
    target: "RasterOutputs",
    fresh: bool,
    quiet: bool,
) -> None:
    from fullconv.batch.rasters.label import label_raster

    steps = label_raster(
        model,
        job.input_path(item),
        target,
        memory=job.budget,
        band_choice=job.band_choice,
        fingerprint=job.description.model,
        fresh=fresh,
    )
    with collect_signals() as stop_requests, progress_bar(quiet) as bar:
        task = bar.add_task(f"{Path(item.where).name}, megapixels")
        for step in steps:
            bar.update(task, completed=step.done / MEGA, total=step.pixels / MEGA)
            if step.note and not quiet:
                say(f"{item.id}: {step.note}")
            if stop_requests:
                steps.close()
                say("Stopped; finished parts are kept. Resume with the same command.")
                raise typer.Exit(EXIT_CODES[stop_requests[0]])
    written = [target.labels, target.areas, target.polygons]
    say(f"{item.id} -> {', '.join(str(path) for path in written if path)}")
