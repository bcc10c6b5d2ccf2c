"""What `fullconv train` can be told; nearly all of it are settings of config.yaml."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fullconv.cli._options import DATA, FUSING, UPSAMPLING, parse_padding, parse_size

Data = Annotated[str | None, typer.Argument(help=DATA)]
Recipe = Annotated[
    str | None, typer.Option(help="Settings under a name, e.g. paper-staged; default: modern.")
]
Network = Annotated[str | None, typer.Option(help="Network, e.g. fcn8s-vgg16.")]
Weights = Annotated[
    str | None, typer.Option(help="Initial weights: a file, or 'imagenet' to download them.")
]
Padding = Annotated[str | None, typer.Option(help="'same', or pixels of zeros: 100 in the paper.")]
Width = Annotated[float | None, typer.Option(help="Multiplies all widths.")]
Hidden = Annotated[int | None, typer.Option(help="Width of fc6 and fc7.")]
Epochs = Annotated[int | None, typer.Option(help="Times through the photos.")]
Steps = Annotated[int | None, typer.Option(help="Steps, instead of epochs.")]
Crop = Annotated[
    str | None, typer.Option(metavar="HxW", help="Size of the training windows, or 'whole'.")
]
Batch = Annotated[int | None, typer.Option(help="Photos a step.")]
Rate = Annotated[float | None, typer.Option(help="Learning rate (of the mean loss).")]
Optimizer = Annotated[str | None, typer.Option(help="sgd or adamw.")]
Schedule = Annotated[str | None, typer.Option(help="poly, cosine or constant.")]
Warmup = Annotated[int | None, typer.Option(help="Steps to the full rate.")]
Upsampling = Annotated[str | None, typer.Option(help=UPSAMPLING)]
Fusing = Annotated[str | None, typer.Option(help=FUSING)]
Loss = Annotated[
    str | None,
    typer.Option(help="cross-entropy, focal, dice, lovasz, ohem, or a sum: focal+0.5*dice."),
]
Balance = Annotated[
    str | None,
    typer.Option(help="Class weights: none, median-freq, enet, sqrt-inv, effective."),
]
LearnUpsampling = Annotated[
    bool | None, typer.Option("--learn-upsampling", help="Train the upsampling too.")
]
Seed = Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")]
Workers = Annotated[int | None, typer.Option(help="Processes that read photos.")]
Config = Annotated[Path | None, typer.Option(help="Settings from a YAML file; options above win.")]
AnySetting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting of config.yaml."),
]
MaxSeconds = Annotated[
    float | None, typer.Option(help="Save and stop after so long, with exit code 75.")
]
Name = Annotated[str | None, typer.Option(help="Of the run folder.")]
Resume = Annotated[
    str | None,
    typer.Option(
        metavar="[RUN]", help="Go on with a run; alone or 'auto': the newest unfinished one."
    ),
]


def settings_among(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, of a command's parameters by their names.

    Raises:
        ConfigError: one is not of the form that it should have.
    """
    from fullconv.config import RunConfig

    forms = {"padding": parse_padding, "size": parse_size, "crop": _parse_crop}
    return {
        name: forms[name](value) if name in forms else value
        for name, value in parameters.items()
        if name in RunConfig.model_fields and value is not None
    }


def _parse_crop(text: str) -> str | tuple[int, int] | None:
    return text if text == "whole" else parse_size(text)


def parse_settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings from NAME=VALUE, with values as in YAML.

    Raises:
        ConfigError: one has not this form.
    """
    import yaml

    from fullconv.errors import ConfigError

    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise ConfigError(f"--set {one}: expected NAME=VALUE, e.g. --set average=0.99")
    return found
