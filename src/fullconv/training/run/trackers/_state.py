"""What a run folder remembers of its run in a tracker, so a resumed run continues there."""

import json
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError, DataError
from fullconv.io.atomic import write_text
from fullconv.io.text import read_json

FILE = "tracking.json"
_NUMBERS = ("step", "sure")  # entries of a state; all others are texts


def read_state(folder: Path, tracker: str) -> dict[str, Any]:
    """Read the state of a tracker; empty if the run is new to it.

    Raises:
        ConfigError: the file is damaged.
    """
    return _read_all(folder).get(tracker, {})


def write_state(folder: Path, tracker: str, **values: object) -> None:
    """Replace the state of a tracker."""
    content = _read_all(folder) | {tracker: values}
    write_text(folder / FILE, json.dumps(content, indent=2) + "\n")


def _read_all(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        content = read_json(path)
    except DataError as error:
        raise _damaged(error.problem) from error
    for tracker, state in content.items():
        if not isinstance(state, dict) or not all(map(_is_valid, state, state.values())):
            raise _damaged(f"{path}: {tracker!r} is {str(state)[:60]}")
    return content


def _is_valid(name: str, value: object) -> bool:
    return type(value) is (int if name in _NUMBERS else str)


def _damaged(problem: str) -> ConfigError:
    return ConfigError(
        f"{problem}; expected the id of the tracker's run: move the file away to begin a new run "
        "in the tracker"
    )
