"""What `fullconv bench` can be told."""

from pathlib import Path
from typing import Annotated

import typer

Subject = Annotated[
    str, typer.Argument(help="A run folder, a model file, an exported one, or a network's name")
]
Files = Annotated[list[Path] | None, typer.Argument(help="Files exported from it, e.g. in int8.")]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--size", metavar="HxW", help="Of the image; may repeat. 500x500 if not given."),
]
Photo = Annotated[Path | None, typer.Option(help="Answer a part of this photo, not a drawn one.")]
Rounds = Annotated[int, typer.Option(min=1, help="Every engine has a turn in each.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Of every engine; all usable cores if not given.")
]
Batch = Annotated[
    int, typer.Option(min=1, help="Images a call for images/s; 1: one after the other.")
]
CpuTime = Annotated[
    bool, typer.Option("--cpu-time", help="Of all cores, for a machine that is shared.")
]
Compiled = Annotated[bool, typer.Option("--compile", help="torch.compile too.")]
Export = Annotated[bool, typer.Option(help="Export to ONNX and OpenVINO, to measure these too.")]
Classes = Annotated[int, typer.Option(help="Scores a pixel, for a name.")]
Padding = Annotated[str, typer.Option(help="'same', or pixels of zeros: 100.")]
Width = Annotated[float, typer.Option(help="Multiplies all widths, for a name.")]
Hidden = Annotated[int | None, typer.Option(help="Width of fc6 and fc7, for a name.")]
