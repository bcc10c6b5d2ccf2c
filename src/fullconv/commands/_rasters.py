"""Rasters that `fullconv predict` is given: which they are, and how they are answered."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from fullconv.commands._show import progress, say
from fullconv.commands._stop import STOPPED, stoppable

if TYPE_CHECKING:
    from fullconv.inputs import Input
    from fullconv.model import Model
    from fullconv.rasterfiles import Target

MEGA = 1_000_000


class Reading(NamedTuple):
    """How rasters are to be read.

    Attributes:
        bands: --bands, e.g. "4,1,2".
        limits: --range, e.g. "0,3000".
    """

    bands: str | None
    limits: str | None

    @property
    def given(self) -> bool:
        """Whether the user says anything about it."""
        return bool(self.bands or self.limits)


def is_raster(item: "Input", reading: Reading) -> bool:
    """Whether an input lies on the earth, is too large to be held whole, or is called a raster.

    Raises:
        ConfigError: it has bands to choose, and is no file of this machine.
    """
    from fullconv.errors import ConfigError
    from fullconv.images import MAX_PIXELS
    from fullconv.rasters import look
    from fullconv.storage import local_path

    path = local_path(item.where)
    if path is None:
        if reading.given:
            raise ConfigError(f"{item.where}: --bands and --range need files of this machine")
        return False
    signs = look(path)
    if signs is None:
        return False
    return reading.given or signs.placed or signs.height * signs.width > MAX_PIXELS


def answer_rasters(
    model: "Model",
    path: str,
    rasters: "Sequence[Input]",
    where: str,
    kinds: Sequence[str],
    reading: Reading,
    memory: str | None,
    fresh: bool,
    quiet: bool,
    verify: bool = False,
) -> list[dict[str, Any]]:
    """Label each raster, telling how it goes; gives what --json says of them.

    Raises:
        typer.Exit: it was asked to stop; what is done is kept.
        FullconvError: a raster cannot be answered; the only one of several that is wrong does not
            stop the others.
    """
    from fullconv.errors import DataError
    from fullconv.identity import file_fingerprint

    bands, limits = _choice(path, reading)
    options = {"memory": memory, "bands": bands, "limits": limits, "fresh": fresh}
    options["fingerprint"] = file_fingerprint(path)
    if verify and rasters:
        _verify(model, rasters[0], bands, limits, memory)
    told: list[dict[str, Any]] = []
    for item in rasters:
        target = _target(item, where, kinds, len(rasters))
        try:
            _follow(model, item, target, where, quiet, options)
        except DataError as error:
            if len(rasters) == 1:
                raise
            say(f"skipped: {error}")
            told.append({"raster": item.id, "error": str(error)})
        else:
            told.append({"raster": item.id, "labels": str(target.labels), "areas": _areas(target)})
    left_out = sorted(set(kinds) - {"labels", "geojson", "overlay"})
    if rasters and left_out:
        say(f"rasters get labels, areas and geojson; {', '.join(left_out)} was left out")
    if told and all("error" in one for one in told):
        raise typer.Exit(2)
    return told


def _follow(
    model: "Model", item: "Input", target: "Target", where: str, quiet: bool, options: Any
) -> None:
    from fullconv.labelling import label_raster

    with stoppable() as stopped, progress(quiet) as bar:
        task = bar.add_task(f"{Path(item.where).name}, megapixels")
        steps = label_raster(model, Path(item.where), target, **options)
        for step in steps:
            bar.update(task, completed=step.done / MEGA, total=step.pixels / MEGA)
            if step.note and not quiet:
                say(f"{item.id}: {step.note}")
            if stopped:
                steps.close()
                break
    if stopped:
        say("Stopped; the parts that are done are kept.")
        say(f"Go on with:  the same command and --out {where}")
        raise typer.Exit(STOPPED[stopped[0]])
    say(f"{item.id} -> {target.labels}, {target.areas}")


def _verify(
    model: "Model",
    item: "Input",
    bands: tuple[int, ...] | None,
    limits: tuple[float, float] | None,
    memory: str | None,
) -> None:
    """Say how far an answer in parts is from the whole's, in the middle of a raster."""
    from fullconv.rasters import opened
    from fullconv.tiles import Window
    from fullconv.tiling import verify

    with opened(Path(item.where), bands, limits) as raster:
        high, wide = (min(side, 1024) for side in raster.size)
        top, left = ((raster.size[0] - high) // 2, (raster.size[1] - wide) // 2)
        image = raster.read(Window(top, left, high, wide))
    say(f"{item.id}: {verify(model.network, image, memory)}")


def _target(item: "Input", where: str, kinds: Sequence[str], count: int) -> "Target":
    """OUT itself if it is one TIFF, or else OUT/labels/NAME.tif and the like.

    Raises:
        ConfigError: OUT is one TIFF, or a URL, and there are several rasters.
    """
    from fullconv.errors import ConfigError
    from fullconv.rasterfiles import Target
    from fullconv.storage import local_path

    out = local_path(where)
    if out is None:
        raise ConfigError(f"--out {where}: rasters are written to a folder of this machine")
    if out.suffix.lower() in (".tif", ".tiff"):
        if count > 1:
            raise ConfigError(f"--out {where} is one file for {count} rasters; expected a folder")
        beside = out.with_suffix(".geojson") if "geojson" in kinds else None
        return Target(out, out.with_suffix(".areas.csv"), beside)
    polygons = out / "geojson" / f"{item.name}.geojson" if "geojson" in kinds else None
    return Target(out / "labels" / f"{item.name}.tif", out / "areas" / f"{item.name}.csv", polygons)


def _choice(
    model: str, reading: Reading
) -> tuple[tuple[int, ...] | None, tuple[float, float] | None]:
    """What the user says; where nothing, what the model was trained with, if its run tells."""
    from fullconv.rasters import parse_bands, parse_range

    bands = parse_bands(reading.bands) if reading.bands else None
    limits = parse_range(reading.limits) if reading.limits else None
    trained = _trained(model)
    if trained:
        bands, limits = bands or trained[0], limits or trained[1]
    return bands, limits


def _trained(
    model: str,
) -> tuple[tuple[int, ...] | None, tuple[float, float] | None] | None:
    from fullconv.errors import FullconvError
    from fullconv.formats.rasters import read_choice
    from fullconv.model import model_file
    from fullconv.run import Run

    try:
        data = Run(model_file(Path(model)).parent).read_config().get("data", "")
        if not str(data).startswith("rasters:"):
            return None
        choice = read_choice(str(data).partition("?")[2])
    except (FullconvError, OSError):
        return None
    return choice.bands, choice.limits


def _areas(target: "Target") -> dict[str, int]:
    """Class name -> its pixels."""
    assert target.areas
    rows = csv.DictReader(target.areas.read_text(encoding="utf-8").splitlines())
    return {row["class"]: int(row["pixels"]) for row in rows}
