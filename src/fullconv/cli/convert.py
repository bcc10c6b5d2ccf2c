"""fullconv convert: weights of Caffe, Paddle, PyTorch or Keras in, a file of ours out."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import say


def command(
    source: Annotated[Path, typer.Argument(help=".caffemodel, .pdparams, .pth, .onnx, ...")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    classes: Annotated[
        Path | None, typer.Option(help="Text file with the classes' names, one a line.")
    ] = None,
    padding: Annotated[
        int, typer.Option(help="Zeros around the image that the net was trained with.")
    ] = 100,
    fluid_dropout: Annotated[
        bool, typer.Option("--fluid-dropout", help="Trained with Paddle 1's Dropout.")
    ] = False,
) -> None:
    """Turn a foreign weights file into a model, or into plain weights if it is no FCN."""
    from fullconv.errors import ConfigError
    from fullconv.weights.convert import convert
    from fullconv.weights.load import Loaded

    if target.suffix != ".safetensors":
        raise ConfigError(f"{target}: the file to write must end in .safetensors")
    if classes and not classes.is_file():
        raise ConfigError(f"{classes}: there is no such file; expected one class name a line")
    lines = classes.read_text(encoding="utf-8").splitlines() if classes else []
    names = [line.strip() for line in lines if line.strip()]
    done = convert(source, target, names or None, padding, fluid_dropout)
    if isinstance(done, Loaded):
        say(str(done))
        say(f"model   {target}")
        say(f"next    fullconv predict {target} PHOTOS --out answers")
        return
    say(f"{done.source}: {len(done.arrays)} arrays")
    for note in done.notes:
        say(f"note: {note}")
    say(f"weights {target}")
    say(f"next    fullconv train DATA --weights {target}")
