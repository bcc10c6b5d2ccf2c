"""fullconv bench: how fast a model answers here, with every engine that is installed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.commands._options import Json, Quiet, parse_padding, parse_size
from fullconv.commands._show import columns, counted, say, write_json

if TYPE_CHECKING:
    from fullconv.benching import Bench, Row
    from fullconv.turns import Spread

TITLES = (
    *("engine", "precision", "ms", "quartiles", "times as fast", "images/s"),
    *("GFLOP", "GFLOP/s", "of peak", "memory", "difference", "same label"),
)


def command(
    model: Annotated[
        str, typer.Argument(help="A run folder, a model file, an exported one, or a network's name")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files exported from it, e.g. in int8.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size", metavar="HxW", help="Of the image; may repeat. 500x500 if not given."
        ),
    ] = None,
    photo: Annotated[
        Path | None, typer.Option(help="Answer a part of this photo, not a drawn one.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Every engine has a turn in each.")] = 7,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of every engine; all usable cores if not given.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, help="Images a call for images/s; 1: one after the other.")
    ] = 1,
    cpu_time: Annotated[
        bool, typer.Option("--cpu-time", help="Of all cores, for a machine that is shared.")
    ] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="torch.compile too.")] = False,
    export: Annotated[
        bool, typer.Option(help="Export to ONNX and OpenVINO, to measure these too.")
    ] = True,
    classes: Annotated[int, typer.Option(help="Scores a pixel, for a name.")] = 21,
    padding: Annotated[str, typer.Option(help="'same', or pixels of zeros: 100.")] = "same",
    width: Annotated[float, typer.Option(help="Multiplies all widths, for a name.")] = 1.0,
    hidden: Annotated[int | None, typer.Option(help="Width of fc6 and fc7, for a name.")] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Measure latency, throughput, memory and operations a second of every engine, in turns.

    The network alone is measured, without reading photos and writing answers.
    """
    from fullconv.benching import measure
    from fullconv.optimizing import set_threads
    from fullconv.rivals import picture, rivals

    sizes = [parse_size(text) or (0, 0) for text in size or ["500x500"]]
    found: list[Bench] = []
    with _model_file(model, classes, padding, width, hidden) as (path, folder):
        for images in [picture(photo, *one) for one in sizes]:
            missing: list[str] = []
            one = (images.shape[2], images.shape[3])
            where = folder if export else None
            engines = rivals(path, files or (), where, one, compiled, missing)
            told = measure(
                engines,
                images,
                rounds=rounds,
                threads=threads or set_threads(),
                batch=batch,
                clock="cpu" if cpu_time else "wall",
                left_out=missing,
            )
            *_, bench = counted(told, rounds, f"{one[0]} x {one[1]}", quiet)
            found.append(bench)
            if str(json) != "-":
                _tell(bench, quiet)
    write_json(json, {"model": model, "sizes": [bench.as_json() for bench in found]})


@contextmanager
def _model_file(
    model: str, classes: int, padding: str, width: float, hidden: int | None
) -> Iterator[tuple[Path, Path]]:
    """The model's path, and a folder for a while; a name's network has random weights."""
    import torch

    from fullconv.config import Architecture, Normalisation
    from fullconv.fcn import IMAGENET_MEAN, IMAGENET_STD, build
    from fullconv.model import Model

    with tempfile.TemporaryDirectory(prefix="fullconv-bench-") as name:
        folder = Path(name)
        if Path(model).exists() or not model.startswith("fcn") or Path(model).suffix:
            yield Path(model), folder
            return
        torch.manual_seed(0)
        chosen = Architecture.checked(
            name=model,
            classes=classes,
            padding=parse_padding(padding),
            width=width,
            hidden=hidden,
        )
        network = build(chosen, Normalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD))
        for layer in network.score_layers():
            torch.nn.init.normal_(layer.weight, std=0.01)  # zeros would agree with anything
        made = folder / "model.safetensors"
        Model(network, [f"class {number}" for number in range(classes)]).save(made)
        yield made, folder


def _tell(bench: "Bench", quiet: bool) -> None:
    height, width = bench.size
    say(columns(TITLES, map(_cells, bench.rows), left=2))
    for precision, rate in bench.peaks.items():
        spread = f"{rate.low:.0f} to {rate.high:.0f}"
        say(f"peak  {precision} {rate.median:.0f} GFLOP/s ({spread}), a large matrix product")
    for line in bench.left_out:
        say(f"left out  {line}")
    if quiet:
        return
    clock = "seconds of all cores" if bench.clock == "cpu" else "wall time"
    say(
        f"{height} x {width}, {bench.threads} threads, {clock}, medians of {bench.rounds} rounds "
        f"in turns; times as fast as {bench.rows[0].engine}, round by round"
    )
    say(", ".join(f"{name} {value}" for name, value in bench.machine.items()))


def _cells(row: "Row") -> tuple[str, ...]:
    from fullconv.memory import in_words

    return (
        row.engine,
        row.precision,
        f"{1e3 * row.seconds.median:.1f}",
        _between(row.seconds, 1e3, 1),
        f"{row.ahead.median:.2f} ({_between(row.ahead, 1, 2)})",
        f"{row.throughput:.2f}",
        "-" if row.gflop is None else f"{row.gflop:.1f}",
        "-" if row.rate is None else f"{row.rate:.1f}",
        "-" if row.share is None else f"{row.share:.0%}",
        in_words(row.memory),
        "-" if row.difference is None else f"{row.difference:.1e}",
        "-" if row.agreement is None else f"{row.agreement:.2%}",
    )


def _between(spread: "Spread", factor: float, digits: int) -> str:
    return f"{factor * spread.low:.{digits}f}-{factor * spread.high:.{digits}f}"
