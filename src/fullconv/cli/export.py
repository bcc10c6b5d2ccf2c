"""fullconv export: convert a model for other runtimes, and verify the file against the model."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.cli import _export_options as options
from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import Json, Quiet, parse_size
from fullconv.io.commands import pasted
from fullconv.units import format_bytes

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.inference.runtimes.description import Description, Parity, QuantizationCost
    from fullconv.io.rasters import BandChoice


TOLERANCE = 1.0  # points of mean IoU that int8 may cost
SERVER = ("python", "-m", "http.server", "-d")  # and a folder
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
    from fullconv.errors import ConfigError
    from fullconv.export.export import export
    from fullconv.export.half import export_half
    from fullconv.export.page.folder import exported_folder
    from fullconv.model import load

    fixed, path = parse_size(size), Path(file)
    if tolerance != TOLERANCE and not int8:
        raise ConfigError("--tolerance is what --int8 may cost; add --int8, or leave it out")
    if int8 and photos:
        raise ConfigError("--int8 is measured on images with masks; give --data, not --photos")
    if program:
        if int8:
            raise ConfigError("--int8 is not possible with --for")
        _write_for(program, model, head, path, data, photos, fixed, runtime, json, quiet)
        return
    is_folder = file.endswith(("/", os.sep)) or path.is_dir()
    if is_folder and path.name in ("", ".."):
        raise ConfigError(f"{file} is not a name for a page; expected a new folder, such as page/")
    page = path.with_name(f"{path.resolve().name}.html") if is_folder else path
    is_half = _check_file(Path(model), page, plain=not (int8 or fixed))
    if runtime:
        _store_runtime(page, runtime)
    if data and photos:
        raise ConfigError("give either --data or --photos to compare predictions on, not both")
    opened = load(model).one_head(head)
    opened.check_photos("fullconv export")
    source = data or _find_training_data(Path(model))
    with exported_folder(path) if is_folder else nullcontext(path) as target:
        if int8:
            result = _quantize(opened, head, target, source, tolerance, fixed)
        else:
            images, images_name = _read_images(source, photos, opened.band_choice)
            if not quiet:
                say(f"comparing on {images_name}")
            if is_half:
                _print_half(export_half(opened, target, images), path, json, quiet)
                return
            result = export(opened, target, images, fixed)
    _print_result(result, page, path, json, quiet)


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
    from fullconv.errors import ConfigError
    from fullconv.export.page.runtime import store
    from fullconv.export.targets import Wanted, targets
    from fullconv.inference.runtimes import is_exported
    from fullconv.model import load

    target = targets[program]
    if is_exported(Path(model)):
        raise ConfigError(f"{model} is an exported file; export the model it was made from")
    if data and photos:
        raise ConfigError("give either --data or --photos to compare predictions on, not both")
    target.check(path, size)
    if runtime:
        store(runtime)
    opened = load(model).one_head(head)
    opened.check_photos("fullconv export")
    source = data or _find_training_data(Path(model))
    images, images_name = _read_images(source, photos, opened.band_choice)
    if not quiet:
        say(f"comparing on {images_name}")
    written = target.write(Wanted(opened, Path(model), path, images, size, head))
    if str(json) != "-":
        if written.parity:
            _print_parity(written.parity)
        say(f"written {path}")
        for note in written.notes if not quiet else ():
            say(f"note    {note}")
    parity = written.parity.model_dump(mode="json") if written.parity else None
    write_json(json, {"file": str(path), "parity": parity, "notes": list(written.notes)})


def _check_file(model: Path, file: Path, plain: bool) -> bool:
    """Check the file names before the work; return whether a float16 model is to be written.

    Raises:
        ConfigError: the file type is unknown, or `file` is a run's own checkpoint.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.exporters import exporter_for
    from fullconv.export.half import SUFFIX
    from fullconv.inference.model_file import model_file
    from fullconv.inference.runtimes import is_exported
    from fullconv.training.run.folder import Run

    if is_exported(model):
        raise ConfigError(f"{model} is an exported file; export the model it was made from")
    if file.suffix.lower() != SUFFIX:
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
    model: Any,
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
    source: str | None, photos: list[str] | None, band_choice: "BandChoice | None"
) -> tuple[list[Any], str]:
    """Return the images to compare predictions on, and their name for messages."""
    from fullconv.batch.inputs import resolve_inputs
    from fullconv.data.formats import open_data
    from fullconv.export.quantize import evenly_spaced
    from fullconv.io.images import read_image

    if photos:
        paths = [item.where for item in resolve_inputs(photos)]
        chosen = [paths[index] for index in evenly_spaced(len(paths), MAX_COMPARED)]
        value_range = band_choice.value_range if band_choice else None
        images = [read_image(Path(path), value_range) for path in chosen]
        return images, f"{len(chosen)} photos"
    data: Data = open_data(source or DRAWN_SCENES)
    samples = data.scaled_for(band_choice).take(evenly_spaced(len(data), MAX_COMPARED))
    hint = "" if source else " (drawn scenes; use --data or --photos for your own)"
    return [sample.image for sample in samples], f"{len(samples)} images of {data.source}{hint}"


def _print_result(
    description: "Description", kind: Path, file: Path, json: Path | None, quiet: bool
) -> None:
    """Print what was verified; `kind` has the suffix of the format."""
    if str(json) != "-":
        if description.parity:
            _print_parity(description.parity, " before int8" if description.loss else "")
        if description.loss:
            _print_loss(description.classes, description.protocol, description.loss, quiet)
        if kind.suffix.lower() == ".html":
            _print_browser(description)
        if description.least != (1, 1):
            say(f"images of at least {description.least[0]} x {description.least[1]} pixels")
        if description.fixed:
            say(f"images of {description.fixed[0]} x {description.fixed[1]} pixels only")
        _print_written(file, "", quiet)
    write_json(json, {"file": str(file), **description.model_dump(mode="json")})


def _print_browser(description: "Description") -> None:
    found = description.browser
    if found is None:
        say(
            "browser  not verified: neither Chromium nor Chrome was found or started; the page "
            "checks itself when it is opened"
        )
        return
    say(
        f"browser  {found.browser}: self-check passed, {found.difference:.1e} of the largest score "
        f"from ONNX Runtime, labels differ at {found.label_changes:.4%} of the pixels"
    )


def _print_loss(
    classes: tuple[str, ...], protocol: str, loss: "QuantizationCost", quiet: bool
) -> None:
    from fullconv.evaluation.metrics import format_percent

    if not quiet:
        rows = zip(classes, loss.before, loss.after, strict=True)
        cells = [
            (name, _format_iou(a), _format_iou(b), _format_points(a, b)) for name, a, b in rows
        ]
        mean = (
            "mean",
            format_percent(loss.mean_before),
            format_percent(loss.mean_after),
        )
        cells.append((*mean, _format_points(loss.mean_before, loss.mean_after)))
        say_lines(format_table(("class", "IoU", "IoU in int8", "points"), cells))
        say(f"{loss.images} images of {loss.data}; {protocol}")
    say(f"int8  same label at {loss.agreement:.2%} of the pixels")


def _print_written(file: Path, size: str, quiet: bool) -> None:
    say(f"written {file}{size}")
    if not quiet and file.is_dir():
        say(f"next    put the folder on a web server; or try it: {pasted(*SERVER, file)}")
    elif not quiet and file.suffix.lower() == ".html":
        say("next    open the file in a browser; it needs no server and no network")
    elif not quiet:
        predict = pasted("fullconv", "predict", file, "PHOTOS", "--out", "predictions")
        say(f"next    {predict}")


def _print_half(parity: "Parity", file: Path, json: Path | None, quiet: bool) -> None:
    if str(json) != "-":
        _print_parity(parity)
        _print_written(file, f" ({format_bytes(file.stat().st_size)})", quiet)
    write_json(json, {"file": str(file), "parity": parity.model_dump(mode="json")})


def _print_parity(parity: "Parity", when: str = "") -> None:
    sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(parity.sizes))
    say(
        f"parity{when}  {parity.difference:.1e} of the largest score, labels differ at "
        f"{parity.label_changes:.4%} of the pixels ({sizes})"
    )


def _format_iou(share: float | None) -> str:
    from fullconv.evaluation.metrics import format_percent

    return "-" if share is None else format_percent(share)


def _format_points(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{100 * (after - before):+.2f}"
