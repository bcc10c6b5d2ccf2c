"""The part that trackers with the interface of wandb share: `init`, `run.log`, `run.finish`."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from fullconv.errors import require
from fullconv.training.run.trackers import Numbers
from fullconv.training.run.trackers._state import read_state, write_state

PROJECT = "fullconv"  # unless an environment variable of the tracker names another


class WandbLikeTracker(ABC):
    """A tracker whose run is found again by an id, which the run folder remembers."""

    name: ClassVar[str]
    _run: Any
    _folder: Path

    def __init__(self) -> None:
        self._module = require(self.name, extra=self.name, what=f"--track {self.name}")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`."""
        self._folder = folder
        state = {"id": secrets.token_hex(4), "step": 0} | read_state(folder, self.name)
        write_state(folder, self.name, **state)
        self._run = self._init(name, dict(settings))
        return self._last_step()

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`."""
        # Remembered before it is logged: a kill in between loses a row in the tracker, and never
        # logs one twice.
        self._update(step=step)
        self._run.log(dict(numbers), step=step)

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        self._run.finish()

    @abstractmethod
    def _init(self, name: str, settings: dict[str, object]) -> Any:
        """Open the run in the tracker."""

    def _last_step(self) -> int:
        """Return the last step that the tracker has."""
        return int(self._state["step"])

    @property
    def _state(self) -> dict[str, Any]:
        return read_state(self._folder, self.name)

    def _update(self, **values: object) -> None:
        write_state(self._folder, self.name, **self._state | values)
