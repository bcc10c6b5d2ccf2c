"""One raster whose answer gets a name of its own: --out answers.tif."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fullconv.cli._console import progress, say
from fullconv.cli._signals import STOPPED, stoppable
from fullconv.cli._verify_tiles import verify

if TYPE_CHECKING:
    from fullconv.batch.inputs import Input
    from fullconv.batch.rasters.outputs import Target
    from fullconv.batch.worker import Worker
    from fullconv.model import Model


MEGA = 1_000_000
TIFF = (".tif", ".tiff")


def is_one_file(out: str | None) -> bool:
    """Whether --out names one file, and no folder that is there.

    Raises:
        ConfigError: it names a picture or a video, which are only written into folders.
    """
    from fullconv.errors import ConfigError
    from fullconv.io.images import SUFFIXES
    from fullconv.io.storage import local_path
    from fullconv.io.video import SUFFIXES as VIDEOS

    own = local_path(out) if out else None
    if own is None or own.is_dir():
        return False
    suffix = own.suffix.lower()
    if suffix in (*SUFFIXES, *VIDEOS) and suffix not in TIFF:
        raise ConfigError(f"--out {out} names one file; expected a folder, such as {own.stem}")
    return suffix in TIFF


def answer_one(
    model: "Model",
    work: "Worker",
    inputs: "Sequence[Input]",
    engine: str,
    verified: bool,
    fresh: bool,
    quiet: bool,
) -> dict[str, Any]:
    """Label a raster into the file that --out names, with its areas and polygons beside it.

    Returns:
        what --json says of it.

    Raises:
        ConfigError: it is no single raster.
        FullconvError: it cannot be answered.
        typer.Exit: it was asked to stop; what is done is kept.
    """
    from fullconv.batch.resume import refuse_large

    item = _only(work, inputs)
    refuse_large(work, inputs, engine)
    if verified:
        verify(model, inputs, work.reading, work.budget)
    target = _target(Path(work.out), work.kinds)
    _follow(model, work, item, target, fresh, quiet)
    files = {"labels": target.labels, "areas": target.areas, "geojson": target.polygons}
    return {"id": item.id, "files": {kind: str(path) for kind, path in files.items() if path}}


def _only(work: "Worker", inputs: "Sequence[Input]") -> "Input":
    from fullconv.errors import ConfigError

    out = work.out
    if work.job.shard != (0, 1):
        raise ConfigError(
            f"--out {out} names one file; --shard needs a folder, for several answers"
        )
    if len(inputs) == 1 and inputs[0].medium == "raster":
        return inputs[0]
    found = f"{len(inputs)} inputs" if len(inputs) > 1 else f"{inputs[0].where}, which is none"
    raise ConfigError(
        f"--out {out} names one file, for the answer to one raster; found {found}: expected a "
        "folder as --out"
    )


def _target(out: Path, kinds: Sequence[str]) -> "Target":
    from fullconv.batch.rasters.outputs import Target

    polygons = out.with_suffix(".geojson") if "geojson" in kinds else None
    return Target(out, out.with_suffix(".areas.csv"), polygons)


def _follow(
    model: "Model", work: "Worker", item: "Input", target: "Target", fresh: bool, quiet: bool
) -> None:
    from fullconv.batch.rasters.label import label_raster

    steps = label_raster(
        model,
        work.path_of(item),
        target,
        memory=work.budget,
        bands=work.reading.bands,
        limits=work.reading.limits,
        fingerprint=work.job.model,
        fresh=fresh,
    )
    with stoppable() as stopped, progress(quiet) as bar:
        task = bar.add_task(f"{Path(item.where).name}, megapixels")
        for step in steps:
            bar.update(task, completed=step.done / MEGA, total=step.pixels / MEGA)
            if step.note and not quiet:
                say(f"{item.id}: {step.note}")
            if stopped:
                steps.close()
                say("Stopped; the parts that are done are kept.")
                say("Go on with:  the same command")
                raise typer.Exit(STOPPED[stopped[0]])
    written = [target.labels, target.areas, target.polygons]
    say(f"{item.id} -> {', '.join(str(path) for path in written if path)}")
