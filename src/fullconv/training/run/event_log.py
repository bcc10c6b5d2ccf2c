"""The event log of a run, events.jsonl: what happened and when, one JSON object per line."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError
from fullconv.io.atomic import write_text
from fullconv.io.text import parse_json

Event = dict[str, Any]


class EventLog:
    """The events of one run; the file is complete after each of them.

    An event has "event" (its kind), "step" (the number of steps done), "time" (UTC) and values of
    its kind. A resumed run keeps the events up to its checkpoint: later ones will happen again.

    Args:
        path: of the file, which need not exist.
        until: step of the checkpoint that is resumed; 0 for a new run.

    Raises:
        ConfigError: the file holds something other than events.
    """

    def __init__(self, path: Path, until: float = math.inf) -> None:
        self.path = path
        self.events = [event for event in _read(path) if event["step"] <= until]

    def add(self, kind: str, step: int, **values: object) -> None:
        """Append an event; numbers that are not finite become null.

        Raises:
            OutputError: the file cannot be written; it is unchanged.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.events.append({"event": kind, "step": step, "time": now, **_json_values(values)})
        lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in self.events]
        write_text(self.path, "".join(lines))

    def discard(self, kind: str, step: int) -> None:
        """Remove the events of one kind at a step, which is about to be logged again."""
        self.events = [e for e in self.events if (e["event"], e["step"]) != (kind, step)]

    def of_kind(self, kind: str) -> list[Event]:
        """Return all events of one kind, in order."""
        return [event for event in self.events if event["event"] == kind]


def _read(path: Path) -> list[Event]:
    if not path.is_file():
        return []
    # Not splitlines, which also splits at U+2028, and a class name may contain that.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [_parse(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line]


def _parse(line: str, position: str) -> Event:
    try:
        event = parse_json(line)
    except ValueError:
        event = None
    if (
        not isinstance(event, dict)
        or not isinstance(event.get("step"), int)
        or "event" not in event
    ):
        raise ConfigError(
            f'{position}: expected an event such as {{"event": "epoch", "step": 40}}; move the '
            "file away to resume without the events so far"
        )
    return event


def _json_values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
