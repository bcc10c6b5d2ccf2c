"""Links to files (the escape sequence OSC 8), for terminals that are known to show them.

Others would ignore the sequence at best, so they get the plain path.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

PROGRAMS = {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby"}
TERMS = {"xterm-kitty", "xterm-ghostty", "alacritty", "foot", "foot-extra", "contour"}
MULTIPLEXERS = ("screen", "tmux")  # only newer ones pass links on
FIRST_VERSIONS = {"VTE_VERSION": 5000, "KONSOLE_VERSION": 201200}  # 0.50, 20.12


def shows_links(environment: Mapping[str, str]) -> bool:
    """Tell from the environment variables of a terminal whether it shows links."""
    term = environment.get("TERM", "")
    if term in ("", "dumb", "linux") or term.startswith(MULTIPLEXERS):
        return False
    return (
        term in TERMS
        or environment.get("TERM_PROGRAM") in PROGRAMS
        or "WT_SESSION" in environment
        or any(_number(environment.get(name)) >= least for name, least in FIRST_VERSIONS.items())
    )


def file_uri(path: Path) -> str:
    """Return the URI of a file, with this machine's name: a terminal may show another machine."""
    return f"file://{socket.gethostname()}{quote(path.resolve().as_posix())}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
