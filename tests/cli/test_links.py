"""Paths are links in terminals that show them, and plain text everywhere else."""

import io
import socket

import pytest

from fullconv.cli import _console
from fullconv.cli._links import file_uri, shows_links


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "4600"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "new"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "screen-256color", "VTE_VERSION": "7600"}, False),
        ({"TERM": "dumb", "TERM_PROGRAM": "vscode"}, False),
    ],
)
def test_terminals_that_show_links(environment, expected):
    assert shows_links(environment) is expected


@pytest.fixture
def printed(monkeypatch):
    """Return what `say_path` writes to a terminal with some environment variables."""

    def show(is_terminal, path, **environment):
        for name in ("VTE_VERSION", "TERM_PROGRAM", "WT_SESSION", "KONSOLE_VERSION", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stream = io.StringIO()
        console = _console._Console(
            file=stream, force_terminal=is_terminal, width=20, soft_wrap=True, highlight=False
        )
        monkeypatch.setattr(_console, "console", console)
        _console.say_path(path, "report  ", "  (so far)")
        return stream.getvalue()

    return show


def test_a_path_is_a_link_on_a_terminal_that_shows_it(printed, tmp_path):
    path = tmp_path / "a b [1].html"
    text = printed(True, path, TERM="xterm-kitty")
    assert f";{file_uri(path)}\x1b\\{path}\x1b]8;;\x1b\\" in text
    assert text.startswith("report  \x1b]8;") and text.endswith("  (so far)\n")
    assert file_uri(path) == f"file://{socket.gethostname()}{tmp_path}/a%20b%20%5B1%5D.html"


def test_a_path_is_plain_elsewhere(printed, tmp_path):
    expected = f"report  {tmp_path}  (so far)\n"
    assert printed(True, tmp_path, TERM="xterm-256color") == expected
    assert printed(False, tmp_path, TERM="xterm-kitty") == expected


def test_a_path_with_control_characters_is_shown_escaped(printed, tmp_path):
    text = printed(True, tmp_path / "\x1b]0;title\x07", TERM="xterm-kitty")
    assert "\x1b]0" not in text and "\x07" not in text
