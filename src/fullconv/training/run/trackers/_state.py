"""What a run folder remembers of its run in a tracker, so a resumed run continues there."""

import json
from pathlib import Path
from typing import Any

from fullconv.io.atomic import write_text
from fullconv.io.text import read_json

FILE = "tracking.json"


def read_state(folder: Path, tracker: str) -> dict[str, Any]:
    """Read the state of a tracker; empty if the run is new to it."""
    state: dict[str, Any] = _read_all(folder).get(tracker, {})
    return state


def write_state(folder: Path, tracker: str, **values: object) -> None:
    """Replace the state of a tracker."""
    content = _read_all(folder) | {tracker: values}
    write_text(folder / FILE, json.dumps(content, indent=2) + "\n")


def _read_all(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    return read_json(path) if path.is_file() else {}
