"""Trackio: a run in its local database, or where TRACKIO_SPACE_ID or TRACKIO_SERVER_URL say."""

import io
import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any

from fullconv.errors import require
from fullconv.training.run.trackers import Numbers, trackers
from fullconv.training.run.trackers._state import recall, remember

PROJECT = "fullconv"  # where TRACKIO_PROJECT names no other


@trackers.register("trackio")
class Trackio:
    """A run that `trackio show` shows."""

    _run: Any
    _name: str
    _folder: Path

    def __init__(self) -> None:
        self._trackio = require("trackio", extra="trackio", what="--track trackio")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`. The last step is trackio's own, or where it does not tell, ours."""
        known = recall(folder, "trackio")
        self._folder = folder
        # A run is found again by its name, and other folders hold runs of the same name.
        self._name = str(known.get("run") or f"{name}-{secrets.token_hex(4)}")
        held = int(known.get("step", 0))
        remember(folder, "trackio", run=self._name, step=held)
        with _silence():
            self._run = self._trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", PROJECT),
                name=self._name,
                config=dict(settings),
                resume="allow",
                embed=False,
                auto_log_gpu=False,  # their steps are others than ours
                auto_log_cpu=False,
            )
        following = getattr(self._run, "_next_step", held + 1)  # a killed run's queue may be lost
        return max(0, int(following) - 1)

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`."""
        # Before, not after: a kill in between costs a row here, and never writes one twice.
        remember(self._folder, "trackio", run=self._name, step=step)
        self._run.log(dict(numbers), step=step)

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        with _silence():
            self._run.finish()


def _silence() -> AbstractContextManager[object]:
    """Trackio prints as it likes; what a command prints is for its user."""
    return redirect_stdout(io.StringIO())
