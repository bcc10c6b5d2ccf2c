"""fullconv help: show the commands, or the options of one."""

from typing import Annotated, Any

import typer
import typer.main

from fullconv.cli import build
from fullconv.errors import UnknownNameError


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND", help="Name of a command.", show_default="list all commands"
        ),
    ] = None,
) -> None:
    """Show the help of a command."""
    application: Any = typer.main.get_command(build())
    context = application.make_context("fullconv", [], resilient_parsing=True)
    if name is None:
        typer.echo(application.get_help(context))
        return
    if name not in application.commands:
        raise UnknownNameError("command", name, application.commands)
    shown = application.commands[name]
    typer.echo(shown.get_help(shown.make_context(name, [], context, resilient_parsing=True)))
