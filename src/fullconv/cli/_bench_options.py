"""The options of `fullconv bench`."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._options import say_taken
from fullconv.hardware import MAX_THREADS

Subject = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model: a run folder, a model file, an exported file, a bundled model "
        "(fullconv models), or a network's name (with random weights).",
        callback=say_taken,
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Files exported from it to measure as well, e.g. in int8.",
        show_default="none",
    ),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="HxW",
        help="Image size, before the model scales it; repeatable.",
        show_default="500x500",
    ),
]
Photo = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Predict a crop of this photo.", show_default="a drawn scene"
    ),
]
Rounds = Annotated[
    int, typer.Option(metavar="N", min=1, max=100_000, help="Number of measurement rounds.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=MAX_THREADS,
        help="CPU threads of every runtime.",
        show_default="all usable cores",
    ),
]
Batch = Annotated[
    int, typer.Option(metavar="N", min=1, max=4096, help="Batch size for measuring images/s.")
]
CpuTime = Annotated[
    bool,
    typer.Option("--cpu-time", help="Measure CPU time instead of wall time, for shared machines."),
]
Compiled = Annotated[bool, typer.Option("--compile", help="Also measure torch.compile.")]
Export = Annotated[
    bool,
    typer.Option(help="Export to ONNX and OpenVINO and measure these, too."),
]
Classes = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        min=1,
        max=255,
        help="Number of classes, if MODEL is a network's name.",
        show_default="21",
    ),
]
