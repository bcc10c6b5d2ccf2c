"""fullconv export: convert a model for other runtimes, and verify the file against the model."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.cli import _export_options as options
from fullconv.cli._console import say
from fullconv.cli._export_output import print_half, print_result, print_target
from fullconv.cli._options import Json, Quiet, parse_size

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.inference.runtimes.description import Description
    from fullconv.io.rasters import BandChoice
    from fullconv.model import Model


TOLERANCE = 1.0  # points of mean IoU that int8 may cost
MAX_COMPARED = 6  # images, even if the data set or the folder has more
DRAWN_SCENES = "scenes:6"


def command(
    model: options.Model,
    file: options.File,
    data: options.Data = None,
    photos: options.Photos = None,
    int8: options.Int8 = False,
    tolerance: options.Tolerance = TOLERANCE,
    size: options.Size = None,
    program: options.For = None,
    head: options.Head = None,
    runtime: options.Runtime = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Convert a model to ONNX, OpenVINO, .pt2 or a web page.

    The file is written only if its scores differ from the model's by at most 1e-4 of the largest
    score. A .safetensors file has float16 weights and half the size; at most 0.2 % of its labels
    differ.
    """
    from fullconv.export.export import export
    from fullconv.export.half import export_half
    from fullconv.export.page.folder import exported_folder

    fixed, path = parse_size(size), Path(file)
    _check_options(int8, tolerance, program, data, photos)
    if program:
        _write_for(program, model, head, path, data, photos, fixed, runtime, json, quiet)
        return
    is_folder = file.endswith(("/", os.sep)) or path.is_dir()
    page = _page_of(path, file) if is_folder else path
    is_half = _check_file(Path(model), page, plain=not (int8 or fixed))
    if runtime:
        _store_runtime(page, runtime)
    opened = _open(model, head)
    source = data or _find_training_data(Path(model))
    with exported_folder(path) if is_folder else nullcontext(path) as target:
        if int8:
            result = _quantize(opened, head, target, source, tolerance, fixed)
        else:
            images = _read_images(source, photos, opened.band_choice, quiet)
            if is_half:
                print_half(export_half(opened, target, images), path, json, quiet)
                return
            result = export(opened, target, images, fixed)
    print_result(result, page, path, json, quiet)


def _check_options(
    int8: bool,
    tolerance: float,
    program: str | None,
    data: str | None,
    photos: list[str] | None,
) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigError: two of them do.
    """
    from fullconv.errors import ConfigError

    if tolerance != TOLERANCE and not int8:
        raise ConfigError("--tolerance is what --int8 may cost; add --int8, or leave it out")
    if int8 and photos:
        raise ConfigError("--int8 is measured on images with masks; give --data, not --photos")
    if int8 and program:
        raise ConfigError("--int8 is not possible with --for")
    if data and photos:
        raise ConfigError("give either --data or --photos to compare predictions on, not both")


def _write_for(
    program: str,
    model: str,
    head: str | None,
    path: Path,
    data: str | None,
    photos: list[str] | None,
    size: tuple[int, int] | None,
    runtime: Path | None,
    json: Path | None,
    quiet: bool,
) -> None:
    """Write a model for a program, and print what was written."""
    from fullconv.export.page.runtime import store
    from fullconv.export.targets import Wanted, targets

    target = targets[program]
    _refuse_exported(Path(model))
    target.check(path, size)
    if runtime:
        store(runtime)
    opened = _open(model, head)
    source = data or _find_training_data(Path(model))
    images = _read_images(source, photos, opened.band_choice, quiet)
    written = target.write(Wanted(opened, Path(model), path, images, size, head))
    print_target(written, path, json, quiet)


def _refuse_exported(model: Path) -> None:
    from fullconv.errors import ConfigError
    from fullconv.inference.runtimes import is_exported

    if is_exported(model):
        raise ConfigError(f"{model} is an exported file; export the model it was made from")


def _open(model: str, head: str | None) -> "Model":
    from fullconv.model import load

    opened = load(model).one_head(head)
    opened.check_photos("fullconv export")
    return opened


def _page_of(folder: Path, given: str) -> Path:
    """Return the path of the page that a folder for static hosting is made from.

    Raises:
        ConfigError: the folder has no name.
    """
    from fullconv.errors import ConfigError

    if folder.name in ("", ".."):
        raise ConfigError(f"{given} is not a name for a page; expected a new folder, such as page/")
    return folder.with_name(f"{folder.resolve().name}.html")


def _check_file(model: Path, file: Path, plain: bool) -> bool:
    """Check the file names before the work; return whether a float16 model is to be written.

    Raises:
        ConfigError: the file type is unknown, or `file` is a run's own checkpoint.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.exporters import exporter_for
    from fullconv.inference.model_file import model_file
    from fullconv.inference.runtimes import MODEL_SUFFIX
    from fullconv.training.run.folder import Run

    _refuse_exported(model)
    if file.suffix.lower() != MODEL_SUFFIX:
        exporter_for(file)
        return False
    if not plain:
        raise ConfigError(f"{file}: --int8 and --size need a file of another runtime, e.g. .onnx")
    run = Run(file.parent)
    if file in (run.best, run.last) and run.config.is_file():
        raise ConfigError(f"{file} is a checkpoint of the run; choose another name")
    if file.resolve() == model_file(model).resolve():
        raise ConfigError(f"{file} is the model itself; choose another name")
    return True


def _store_runtime(file: Path, folder: Path) -> None:
    """Take ONNX Runtime Web from a folder.

    Raises:
        ConfigError: `file` is no page, or the folder lacks a file.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.page.runtime import store

    if file.suffix.lower() != ".html":
        raise ConfigError(f"{file}: --runtime is for a page (.html)")
    store(folder)


def _quantize(
    model: "Model",
    head: str | None,
    file: Path,
    source: str | None,
    tolerance: float,
    size: tuple[int, int] | None,
) -> "Description":
    from fullconv.data.formats import open_data
    from fullconv.errors import ConfigError
    from fullconv.export.quantize import export_int8
    from fullconv.training.validation import open_validation

    if source is None:
        raise ConfigError("--int8 needs images with masks to measure its cost; add --data DATA")
    train = open_data(source, "train")
    val = open_validation(source, train)[0]
    if head and train.heads:
        train, val = train.head(head), val.head(head)
    return export_int8(model, file, train, val, tolerance, size)


def _find_training_data(model: Path) -> str | None:
    """Return the data set in a run folder's config.yaml, if it still exists."""
    from fullconv.data.formats import open_data
    from fullconv.errors import DataError
    from fullconv.training.run.folder import Run

    if not (model.is_dir() and Run(model).config.is_file()):
        return None
    source = str(Run(model).read_config().get("data"))
    try:
        open_data(source)
    except DataError:
        return None
    return source


def _read_images(
    source: str | None,
    photos: list[str] | None,
    band_choice: "BandChoice | None",
    quiet: bool,
) -> list[Any]:
    """Return the images to compare predictions on, and say which."""
    from fullconv.batch.inputs import resolve_inputs
    from fullconv.data.formats import open_data
    from fullconv.export.quantize import evenly_spaced
    from fullconv.io.images import read_image

    if photos:
        paths = [item.where for item in resolve_inputs(photos)]
        chosen = [paths[index] for index in evenly_spaced(len(paths), MAX_COMPARED)]
        value_range = band_choice.value_range if band_choice else None
        images = [read_image(Path(path), value_range) for path in chosen]
        name = f"{len(chosen)} photos"
    else:
        data: Data = open_data(source or DRAWN_SCENES)
        samples = data.scaled_for(band_choice).take(evenly_spaced(len(data), MAX_COMPARED))
        images = [sample.image for sample in samples]
        hint = "" if source else " (drawn scenes; use --data or --photos for your own)"
        name = f"{len(images)} images of {data.source}{hint}"
    if not quiet:
        say(f"comparing on {name}")
    return images
