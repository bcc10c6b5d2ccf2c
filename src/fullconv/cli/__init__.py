"""The command line: one file per command; files that start with an underscore belong to one.

A folder is a group of commands: `DEFAULT` in it names the member that runs without being named. A
member with an `OPTION` runs instead of it if that option is given.

No module here imports torch before a command runs. A bug keeps its traceback.
"""

import pkgutil
import re
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from fullconv._version import __version__
from fullconv.cli._console import own_streams, say_error
from fullconv.cli._errors import describe_error
from fullconv.errors import ConfigError

NEWEST = "newest"
"""What `--resume` without a name stands for."""


class ExitCode(NamedTuple):
    """What an exit code means, and whether to run the command again."""

    code: int
    meaning: str
    retry: str


EXIT_CODES = (
    ExitCode(0, "success", "no"),
    ExitCode(
        1,
        "an unexpected error, with a traceback; of `predict`: some input failed for an unexpected "
        "reason",
        "after looking at the message",
    ),
    ExitCode(
        2,
        "a mistake in the command, the settings or the files: one message, no traceback",
        "no: it would fail again",
    ),
    ExitCode(3, "training diverged: the loss or a gradient is not finite", "no: change settings"),
    ExitCode(4, "`fullconv check` found errors in the data set", "no: fix the data"),
    ExitCode(74, "a result could not be written, e.g. because the disk is full", "after fixing it"),
    ExitCode(
        75,
        "stopped on request (SIGUSR1, `--max-seconds`), with everything saved",
        "yes: the same command resumes",
    ),
    ExitCode(
        130,
        "interrupted by Ctrl-C (SIGINT), with everything saved",
        "yes: the same command resumes",
    ),
    ExitCode(143, "terminated (SIGTERM), with everything saved", "yes: the same command resumes"),
)

# In the order in which a user meets them; commands that are not listed follow by name.
_ORDER = (
    *("demo", "check", "train", "evaluate", "compare", "predict", "serve", "export", "bench"),
    *("models", "inspect", "explain", "convert", "convert_data", "merge", "cache", "help"),
)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        with own_streams():
            return _run(arguments)
    except Exception as error:  # nothing may end in a bare traceback
        message, code = describe_error(error)
        say_error(f"fullconv: {message}")
        return code


def _run(arguments: Sequence[str]) -> int:
    try:
        build()(_add_value(arguments, "--resume", NEWEST), prog_name="fullconv")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def build() -> typer.Typer:
    """Build the application with the commands of this package."""
    app = typer.Typer(
        name="fullconv",
        cls=_Commands,
        help="Semantic segmentation with fully convolutional networks.",
        epilog="`fullconv help COMMAND` lists the options of a command.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_common)
    for file in pkgutil.iter_modules(__path__):
        if not file.name.startswith("_"):
            _add(app, file.name, import_module(f"{__name__}.{file.name}"))
    return app


def _add(app: typer.Typer, name: str, module: ModuleType) -> None:
    """Add a command, or a group with the commands in its folder."""
    shown = name.replace("_", "-")
    if not hasattr(module, "__path__"):
        app.command(shown, cls=_Command)(module.command)
        return
    names = [file.name for file in pkgutil.iter_modules(module.__path__)]
    members = {
        one.replace("_", "-"): import_module(f"{module.__name__}.{one}")
        for one in names
        if not one.startswith("_")
    }
    by_option = {member.OPTION: one for one, member in members.items() if hasattr(member, "OPTION")}
    group = typer.Typer(
        name=shown,
        help=module.__doc__,
        cls=_Group,
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"obj": _Unnamed(module.DEFAULT, by_option)},
    )
    for one, member in members.items():
        _add(group, one, member)
    app.add_typer(group)


class _Unnamed(NamedTuple):
    """The members of a group that run without being named."""

    default: str
    by_option: dict[str, str]


class _Commands(TyperGroup):
    """All commands, in the order in which a user meets them; Typer lists groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in order."""
        ordered = [name.replace("_", "-") for name in _ORDER]
        named = [name for name in ordered if name in self.commands]
        return [*named, *sorted(self.commands.keys() - set(named))]


class _Group(TyperGroup):
    """A group whose default member runs if the first argument is not the name of one.

    Its members are listed in the help in the order of their names.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default member before arguments that name none."""
        first = args[0] if args else "--help"
        if first in self.commands or first in ("-h", "--help"):
            return super().parse_args(ctx, args)
        given = {argument.partition("=")[0] for argument in args}
        for option, name in ctx.obj.by_option.items():
            if option in given:
                return super().parse_args(ctx, [name, *args])
        default = ctx.obj.default
        if len(args) == 1:  # without more, it is more likely a misspelled name
            others = ", ".join(name for name in self.commands if name != default)
            raise ConfigError(
                f"{ctx.info_name} {first[:60]}: expected one of {others}; or what "
                f"`{ctx.command_path} {default}` takes"
            )
        return super().parse_args(ctx, [default, *args])


class _Command(TyperCommand):
    """A command whose help shows the default of every option."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.is_flag:
                shown = parameter.default or parameter.secondary_opts
                if not shown and "[default: " not in (parameter.help or ""):
                    parameter.show_default = "off"

    def get_help(self, ctx: Any) -> str:
        # Typer puts defaults given as text into parentheses.
        return re.sub(r"(\[default:\s+)\(([^\]]*?)\)(?=[;\]])", r"\1\2", super().get_help(ctx))


def _print_version(asked: bool) -> bool:
    if asked:
        print(f"fullconv {__version__}")
        raise typer.Exit
    return asked


def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


def _add_value(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """Give `option` its value where it has none: at the end, or before another option."""
    result = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        alone = argument == option and following.startswith("-")
        result.append(f"{option}={value}" if alone else argument)
    return result
