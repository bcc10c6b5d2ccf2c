"""The arguments and options of `fullconv export`."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._options import say_taken

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model: a run folder, a .safetensors model file, or the name of a model that comes "
        "along (fullconv models).",
        callback=say_taken,
    ),
]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="File to write: .onnx, .pt2, .xml (OpenVINO), .html (a web page), .safetensors "
        "(float16), or a folder for static hosting, with a slash: page/; or what --for says.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Data set to compare predictions on; required by --int8.",
        show_default="the model's training data, else drawn scenes",
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="One of several heads of the model, with its classes.",
        show_default="its only head",
    ),
]
Photos = Annotated[
    list[str] | None,
    typer.Option(
        "--photos",
        metavar="PATH",
        help="Photos or folders to compare predictions on, instead of --data; repeatable.",
        show_default="none",
    ),
]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Quantize to int8, and measure on DATA what it costs.")
]
Tolerance = Annotated[
    float,
    typer.Option(metavar="POINTS", help="Mean IoU that int8 may cost, in percent.", min=0, max=100),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Fix the image size; faster for networks with --padding 100.",
        show_default="any size",
    ),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="PROGRAM",
        help="Write for a program: deepness (QGIS, an .onnx file), triton (a folder of its model "
        "repository) or huggingface (the folder of a repository on the hub).",
        show_default="none",
    ),
]
Runtime = Annotated[
    Path | None,
    typer.Option(
        "--runtime",
        metavar="FOLDER",
        help="ONNX Runtime Web for a page, unpacked; it is kept in the cache.",
        show_default="the cache, else npm",
    ),
]
