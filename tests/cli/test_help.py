"""The help fits 80 columns, shows every default, and is complete."""

import re
from pathlib import Path

import pytest
import typer.main

from fullconv.cli import EXIT_CODES, build, run
from fullconv.cli._signals import EXIT_CODES as SIGNAL_CODES
from fullconv.errors import FullconvError

APPLICATION = typer.main.get_command(build())
COMMANDS = APPLICATION.list_commands(None)
UNCHANGED = {"help", "version"}  # options without a default


def show(capsys, *arguments):
    assert run(arguments) == 0
    return capsys.readouterr().out


@pytest.fixture(params=[80, 120])
def columns(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_line_is_wider_than_the_terminal(name, columns, capsys):
    text = show(capsys, *filter(None, [name]), "--help")
    assert max(map(len, text.splitlines())) <= columns


def test_every_command_has_a_complete_summary(columns, capsys):
    text = show(capsys, "--help")
    listed = dict(re.findall(r"^  ([a-z-]+)  +(.+)$", text.partition("Commands:")[2], re.M))
    assert list(listed) == COMMANDS
    for name, summary in listed.items():
        assert summary.endswith(".") and not summary.endswith("..."), name


def test_commands_are_listed_as_a_user_meets_them():
    assert COMMANDS[:6] == ["demo", "check", "train", "evaluate", "compare", "predict"]
    assert COMMANDS[-1] == "help"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_and_a_default(name):
    command = APPLICATION.commands[name]
    context = command.context_class(command, info_name=name)
    for parameter in command.params:
        if parameter.name in UNCHANGED:
            continue
        syntax, text = parameter.get_help_record(context)
        assert parameter.help and parameter.help[0].isupper(), syntax
        is_option = parameter.param_type_name == "option"
        assert not is_option or re.search(r"\[[^\[\]]*(default:|required)", text), syntax
        assert text.count("default:") <= 1, syntax


@pytest.mark.parametrize("name", ["predict", "merge", "convert-data"])
def test_help_of_a_command_is_what_its_option_shows(name, capsys):
    assert show(capsys, "help", name) == show(capsys, name, "--help")


def test_help_alone_lists_the_commands(capsys):
    assert show(capsys, "help") == show(capsys, "--help")


def test_help_of_an_unknown_command_names_the_known_ones(capsys):
    assert run(["help", "predictt"]) == 2
    message = capsys.readouterr().err
    assert "did you mean predict?" in message and "convert-data" in message
    assert len(message.splitlines()) == 1


def test_defaults_are_shown_without_parentheses(capsys):
    text = " ".join(show(capsys, "help", "predict").split())
    assert "[default: half of the free memory]" in text and "[default: off]" in text


def subclasses(kind):
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_exit_code_is_documented():
    codes = {row.code for row in EXIT_CODES}
    errors = {kind.exit_code for kind in subclasses(FullconvError)}
    assert codes == {0, 1, *errors, *SIGNAL_CODES.values()}
    page = (Path(__file__).parents[2] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)]
    assert listed == [row.code for row in EXIT_CODES]
