"""fullconv export: a model for other runtimes, with proof that it answers as before."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import format_table, say, write_json
from fullconv.cli._options import DATA, Json, Quiet, parse_size

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.inference.runtimes.description import Description, Parity, QuantizationCost


COMPARED = 6  # photos, when a data set or a folder has more
DRAWN = "scenes:6"


def command(
    model: Annotated[str, typer.Argument(help="A run folder or a .safetensors model file.")],
    file: Annotated[
        Path, typer.Argument(help="Ends in .onnx, .pt2, .xml (OpenVINO) or .safetensors.")
    ],
    data: Annotated[
        str | None, typer.Option("--data", help=f"Compare on it; --int8 needs it. {DATA}")
    ] = None,
    photos: Annotated[
        list[str] | None,
        typer.Option("--photos", help="Compare on these photos or folders of them; may repeat."),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Quantise: faster, and measured on DATA before it counts."),
    ] = False,
    tolerance: Annotated[
        float, typer.Option(help="Points of mean IU that int8 may cost.", min=0, max=100)
    ] = 1.0,
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Only for this size; faster with --padding 100 networks."),
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Write a model for ONNX Runtime, PyTorch without our code, or OpenVINO, and compare answers.

    A file whose scores differ by more than 1e-4 of the largest is not written. A .safetensors file
    is a model like the first, of half the size: weights in float16, at most 0.2 % other labels.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.export import export
    from fullconv.export.half import export_half
    from fullconv.model import load

    fixed = parse_size(size)
    half = _checked(Path(model), file, plain=not (int8 or fixed))
    if data and photos:
        raise ConfigError("--data and --photos both say what to compare on; give one of them")
    opened = load(model)
    source = data or _trained_on(Path(model))
    if int8:
        _tell(_quantized(opened, file, source, tolerance, fixed), file, json, quiet)
        return
    images, named = _images(source, photos)
    if not quiet:
        say(f"comparing on {named}")
    if half:
        _tell_half(export_half(opened, file, images), file, json, quiet)
    else:
        _tell(export(opened, file, images, fixed), file, json, quiet)


def _checked(model: Path, file: Path, plain: bool) -> bool:
    """Look at the names before anything takes time; whether it is to be a model in half the bytes.

    Raises:
        ConfigError: there is no such kind of file, or `file` belongs to a model that is there.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.exporters import exporter_for
    from fullconv.export.half import SUFFIX
    from fullconv.inference.model_file import model_file
    from fullconv.inference.runtimes import is_exported
    from fullconv.training.run.folder import Run

    if is_exported(model):
        raise ConfigError(f"{model} is an exported file; export the model that it came from")
    if file.suffix.lower() != SUFFIX:
        exporter_for(file)
        return False
    if not plain:
        raise ConfigError(f"{file}: --int8 and --size are for other runtimes' files, e.g. .onnx")
    run = Run(file.parent)
    if file in (run.best, run.last) and run.config.is_file():
        raise ConfigError(f"{file} is the run's own; give the smaller model another name")
    if file.resolve() == model_file(model).resolve():
        raise ConfigError(f"{file} is the model itself; give the smaller one another name")
    return True


def _quantized(
    model: Any, file: Path, source: str | None, tolerance: float, size: tuple[int, int] | None
) -> "Description":
    from fullconv.data.formats import open_data
    from fullconv.errors import ConfigError
    from fullconv.export.quantize import export_int8
    from fullconv.training.validation import open_validation

    if source is None:
        raise ConfigError(
            "--int8 needs photos with masks to measure what it costs; give them: --data DATA"
        )
    train = open_data(source, "train")
    return export_int8(model, file, train, open_validation(source, train)[0], tolerance, size)


def _trained_on(model: Path) -> str | None:
    """The data that a run folder's config.yaml names, if it is still there."""
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


def _images(source: str | None, photos: list[str] | None) -> tuple[list[Any], str]:
    """What to compare on, and what to call it."""
    from fullconv.batch.inputs import resolve_inputs
    from fullconv.data.formats import open_data
    from fullconv.export.quantize import spread
    from fullconv.io.images import read_image

    if photos:
        found = [item.where for item in resolve_inputs(photos)]
        chosen = [found[index] for index in spread(len(found), COMPARED)]
        return [read_image(Path(where)) for where in chosen], f"{len(chosen)} photos"
    data: Data = open_data(source or DRAWN)
    some = data.take(spread(len(data), COMPARED))
    drawn = "" if source else ", drawn by the program; --data or --photos takes your own"
    return [sample.image for sample in some], f"{len(some)} photos of {data.source}{drawn}"


def _tell(description: "Description", file: Path, json: Path | None, quiet: bool) -> None:
    if str(json) != "-":
        if description.parity:
            _tell_parity(description.parity, " before int8" if description.loss else "")
        if description.loss:
            _tell_loss(description.classes, description.protocol, description.loss, quiet)
        if description.least != (1, 1):
            say(f"images from {description.least[0]} x {description.least[1]} pixels on")
        if description.fixed:
            say(f"images of {description.fixed[0]} x {description.fixed[1]} pixels only")
        _tell_written(file, "", quiet)
    write_json(json, {"file": str(file), **description.model_dump(mode="json")})


def _tell_loss(
    classes: tuple[str, ...], protocol: str, loss: "QuantizationCost", quiet: bool
) -> None:
    from fullconv.evaluation.metrics import percent

    if not quiet:
        rows = zip(classes, loss.before, loss.after, strict=True)
        cells = [(name, _percent(a), _percent(b), _points(a, b)) for name, a, b in rows]
        mean = ("mean", percent(loss.mean_before), percent(loss.mean_after))
        cells.append((*mean, _points(loss.mean_before, loss.mean_after)))
        say(format_table(("class", "IU", "IU in int8", "points"), cells))
        say(f"{loss.images} images of {loss.data}; {protocol}")
    say(f"int8  the same label at {loss.agreement:.2%} of the pixels")


def _tell_written(file: Path, size: str, quiet: bool) -> None:
    say(f"written {file}{size}")
    if not quiet:
        say(f"next    fullconv predict {file} PHOTOS --out answers")


def _tell_half(parity: "Parity", file: Path, json: Path | None, quiet: bool) -> None:
    if str(json) != "-":
        _tell_parity(parity)
        _tell_written(file, f" ({file.stat().st_size / 2**20:.1f} MiB)", quiet)
    write_json(json, {"file": str(file), "parity": parity.model_dump(mode="json")})


def _tell_parity(parity: "Parity", when: str = "") -> None:
    sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(parity.sizes))
    say(
        f"parity{when}  {parity.difference:.1e} of the largest score, labels differ at "
        f"{parity.label_changes:.4%} of the pixels ({sizes})"
    )


def _percent(share: float | None) -> str:
    from fullconv.evaluation.metrics import percent

    return "-" if share is None else percent(share)


def _points(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{100 * (after - before):+.2f}"
