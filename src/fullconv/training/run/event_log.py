"""What happened in a run and when, line by line: events.jsonl."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError
from fullconv.io.atomic import write_text

Event = dict[str, Any]


class EventLog:
    """The events of one run, in a file that is whole after each of them.

    An event is a JSON object on a line of its own: "event" (its kind), "step" (how many were done),
    "time" (UTC), and what belongs to the kind. A run that goes on from a checkpoint begins with the
    events up to there: those after it happen once more, and stand in the file once.

    Args:
        path: of the file; it need not be there yet.
        until: the step that is gone on from; 0 for a run that begins.

    Raises:
        ConfigError: the file holds something else than events.
    """

    def __init__(self, path: Path, until: float = math.inf) -> None:
        self.path = path
        self.events = [event for event in _read(path) if event["step"] <= until]

    def add(self, kind: str, step: int, **values: object) -> None:
        """Take down one event; a number that is not finite becomes null.

        Raises:
            OutputError: the file cannot be written; it is as it was.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.events.append({"event": kind, "step": step, "time": now, **_plain(values)})
        lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in self.events]
        write_text(self.path, "".join(lines))

    def take_back(self, kind: str, step: int) -> None:
        """Forget the events of one kind at a step, which are about to happen once more."""
        self.events = [e for e in self.events if (e["event"], e["step"]) != (kind, step)]

    def of(self, kind: str) -> list[Event]:
        """All events of one kind, in their order."""
        return [event for event in self.events if event["event"] == kind]


def _read(path: Path) -> list[Event]:
    if not path.is_file():
        return []
    # Not splitlines, which also parts a line at U+2028, and a class may be called that.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [_event(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line]


def _event(line: str, where: str) -> Event:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        event = None
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("step"), int)
        or "event" not in event
    ):
        raise ConfigError(
            f'{where}: expected an event such as {{"event": "epoch", "step": 40}}; move the file '
            "away to go on without what it tells"
        )
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
