"""What a run folder remembers of its run in a tracker, so that a resumed run goes on there."""

import json
from pathlib import Path
from typing import Any

from fullconv.io.atomic import write_text

FILE = "tracking.json"


def recall(folder: Path, tracker: str) -> dict[str, Any]:
    """What was remembered; empty where the run is new to the tracker."""
    found: dict[str, Any] = _all(folder).get(tracker, {})
    return found


def remember(folder: Path, tracker: str, **values: object) -> None:
    """Keep these values, and forget what was remembered of the tracker before."""
    everything = _all(folder) | {tracker: values}
    write_text(folder / FILE, json.dumps(everything, indent=2) + "\n")


def _all(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content if isinstance(content, dict) else {}
