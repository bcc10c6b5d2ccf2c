"""The options of `fullconv train`: those of settings come from the settings' own descriptions."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

import typer

from fullconv.cli._options import parse_padding, parse_size
from fullconv.config import RunConfig, help_text
from fullconv.config.reference import choices
from fullconv.errors import ConfigError

# The settings that have an option of their own; `--set` takes the others.
OPTIONS = (
    *("recipe", "model", "weights", "padding", "width", "hidden", "minutes", "epochs"),
    *("steps", "size", "input_scale", "crop", "batch", "lr", "optimizer", "schedule", "warmup"),
    *("upsampling", "fusing", "inputs", "loss"),
    *("balance", "learn_upsampling", "seed", "workers", "device"),
)

FLAGS = {"input_scale": "--scale"}  # of settings whose option has another name


def check_seconds(seconds: float | None) -> float | None:
    """Return --max-seconds as it is.

    Raises:
        ConfigError: it leaves no time.
    """
    if seconds is not None and not seconds > 0:  # nan included
        raise ConfigError(f"--max-seconds {seconds:g}: expected a number of seconds above 0")
    return seconds


Config = Annotated[
    Path | None,
    typer.Option(help="YAML file with settings; command-line options override it. [default: none]"),
]
AnySetting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting of config.yaml; repeatable. [default: none]",
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        callback=check_seconds,
        help="Save a checkpoint and stop this many seconds after the command's start, with exit "
        "code 75; one step is trained at least. [default: no limit]",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the run folder. [default: the name of the data set]"),
]
Resume = Annotated[
    str | None,
    typer.Option(
        metavar="[RUN]",
        help="Resume this run; without RUN (or with 'auto') the newest unfinished one. With "
        "--minutes, --epochs or --steps, train it for so much longer, also if it is finished. "
        "[default: start a new run]",
    ),
]


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add DATA and an option for each of `OPTIONS` to a command.

    The command gets the values that a user gave as its parameter `given`, by setting name.
    """
    signature = inspect.signature(command)
    options = [_data_argument(), *map(_option, OPTIONS)]
    names = [option.name for option in options]
    others = [p for p in signature.parameters.values() if p.name != "given"]

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        given = {name: values.pop(name) for name in names}
        given = {name: _parse(name, value) for name, value in given.items() if value is not None}
        command(given=given, **values)

    # typer reads the signature, and the annotations of what it holds.
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*options, *others)]
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Parse settings written as NAME=VALUE, with values in YAML.

    Raises:
        ConfigError: one does not have this form, or a setting is given twice.
    """
    from fullconv.errors import ConfigError
    from fullconv.io.text import parse_yaml

    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip()
        if name in settings:
            raise ConfigError(f"--set {name} is given twice; leave one out")
        try:
            settings[name] = parse_yaml(value)
        except ValueError as error:
            raise ConfigError(f"--set {assignment[:200]}: not a value in YAML ({error})") from error
        if not equals:
            raise ConfigError(f"--set {assignment}: expected NAME=VALUE, e.g. --set ema=0.99")
    return settings


def with_settings(given: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return the settings of options, and those of `--set`; see `parse_settings`.

    Raises:
        ConfigError: `parse_settings`; or an option and `--set` give the same setting.
    """
    settings = parse_settings(assignments)
    for name in given.keys() & settings.keys():
        option = "DATA" if name == "data" else _flag(name)
        raise ConfigError(f"{name} is given twice, by {option} and by --set; leave one out")
    return {**given, **settings}


def _flag(name: str) -> str:
    """Return the option of a setting."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def _data_argument() -> inspect.Parameter:
    # DATA may stand in a config file instead, so it is not marked as required.
    text = RunConfig.model_fields["data"].description
    annotation = Annotated[
        str | None, typer.Argument(metavar="DATA", help=text, show_default=False)
    ]
    return inspect.Parameter(
        "data", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _option(name: str) -> inspect.Parameter:
    field = RunConfig.model_fields[name]
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,))]
    kind = next((kind for kind in (bool, int, float) if kinds in ([kind], [kind, NoneType])), str)
    metavar = "|".join(choices(field)) or ("HxW" if name in ("size", "crop") else None)
    option = typer.Option(
        _flag(name), metavar=None if kind is bool else metavar, help=help_text(name)
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _parse(name: str, value: Any) -> Any:
    if name == "padding":
        return parse_padding(value)
    if name == "size" or (name == "crop" and value != "whole"):
        return parse_size(value, f"--{name}")
    return value
