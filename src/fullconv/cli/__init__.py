"""The command line: one file = one command; this folder is the list of them.

Exit codes: 0 done, 2 the user's mistake (one clear message), 3 training diverged, 4 data check
failed, 74 a result could not be written, 75 stopped to be requeued, 130 Ctrl-C, 143 SIGTERM.
A bug keeps its traceback and exits with 1. Nothing here imports torch before a command runs.
"""

import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from fullconv._version import __version__
from fullconv.errors import FullconvError

NEWEST = "newest"
"""What `--resume` without a name stands for."""

# The order in which a user meets them; others follow by name.
_ORDER = ("demo", "check", "train", "evaluate", "predict", "inspect")


def run(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit code."""
    try:
        build()(_with_value(arguments, "--resume", NEWEST), prog_name="fullconv")
    except FullconvError as error:
        print(f"fullconv: {error}", file=sys.stderr)
        return error.exit_code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def build() -> typer.Typer:
    """The application with every command of this folder."""
    app = typer.Typer(
        name="fullconv",
        help="Turn an image classifier into a pixel classifier: train, evaluate and predict.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    files = {file.name for file in pkgutil.iter_modules(__path__) if not file.name.startswith("_")}
    known = [name for name in _ORDER if name in files]
    for name in (*known, *sorted(files.difference(known))):
        module = import_module(f"{__name__}.{name}")
        app.command(name.replace("_", "-"))(module.command)
    return app


def _version(asked: bool) -> bool:
    if asked:
        print(f"fullconv {__version__}")
        raise typer.Exit
    return asked


def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    pass


def _with_value(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """Give `option` its value where it stands alone (the end, or another option, follows)."""
    result = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        alone = argument == option and following.startswith("-")
        result.append(f"{option}={value}" if alone else argument)
    return result
