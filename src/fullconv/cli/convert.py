"""fullconv convert: convert weights of Caffe, Paddle, PyTorch or Keras to a model file."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import say
from fullconv.io.commands import pasted

if TYPE_CHECKING:
    from fullconv.config import Normalization


class Order(StrEnum):
    """Order of red, green and blue."""

    RGB = "rgb"
    BGR = "bgr"


def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Weights file: .caffemodel, .pdparams, .pth, .onnx, ..."
        ),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="The .safetensors file to write.")
    ],
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Text file with one class name per line.",
            show_default="class 0, class 1, ...",
        ),
    ] = None,
    padding: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Zeros around the image that an FCN was trained with.",
            show_default="100",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Mean that is subtracted from each channel, for weights that do not state it.",
            show_default="what is known of the weights",
        ),
    ] = None,
    order: Annotated[
        Order | None,
        typer.Option(
            help="Order of the channels in the first convolution, with --mean.",
            show_default="bgr",
        ),
    ] = None,
    fluid_dropout: Annotated[
        bool, typer.Option("--fluid-dropout", help="It was trained with Paddle 1's Dropout.")
    ] = False,
) -> None:
    """Convert weights of Caffe, Paddle, PyTorch or Keras.

    Writes a model if they are those of an FCN, otherwise plain weights to start a training from.
    """
    from fullconv.data.labels.classes import read_names
    from fullconv.errors import ConfigError
    from fullconv.units import count
    from fullconv.weights.convert import convert_weights
    from fullconv.weights.load import LoadReport

    if target.suffix != ".safetensors":
        raise ConfigError(f"{target}: expected a file name that ends in .safetensors")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigError(f"{target} is the file to read; give the new file another name")
    if classes and not classes.is_file():
        raise ConfigError(f"{classes}: no such file; expected one class name per line")
    if order and not mean:
        raise ConfigError(f"--order {order.value} is that of --mean; add --mean, or omit --order")
    names = list(read_names(classes)) if classes else None
    normalization = _normalization(mean, order or Order.BGR) if mean else None
    converted = convert_weights(source, target, names, padding, fluid_dropout, normalization)
    if isinstance(converted, LoadReport):
        say(str(converted))
        say(f"model   {target}")
        predict = pasted("fullconv", "predict", target, "PHOTOS", "--out", "predictions")
        say(f"next    {predict}")
        return
    say(f"{converted.source}: {count(len(converted.arrays), 'array')}")
    for note in converted.notes:
        say(f"note: {note}")
    say(f"weights {target}")
    say(f"next    {pasted('fullconv', 'train', 'DATA', '--weights', target)}")


def _normalization(mean: str, order: Order) -> "Normalization":
    """Parse --mean as the normalization of Caffe's nets, which divide by nothing."""
    from fullconv.config import Normalization
    from fullconv.errors import ConfigError

    try:
        values = tuple(float(part) for part in mean.split(","))
    except ValueError as error:
        raise ConfigError(f"--mean {mean}: expected numbers, such as 122.7,116.7,104.0") from error
    return Normalization(mean=values, std=(1.0,) * len(values), order=order.value)
