"""Trackio: a run in its local database, or at TRACKIO_SPACE_ID or TRACKIO_SERVER_URL."""

import io
import os
from contextlib import redirect_stdout
from typing import Any

from fullconv.training.run.trackers import trackers
from fullconv.training.run.trackers._wandb_api import PROJECT, WandbLikeTracker


@trackers.register("trackio")
class Trackio(WandbLikeTracker):
    """A run that `trackio show` shows."""

    name = "trackio"

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        with redirect_stdout(io.StringIO()):
            super().end(finished)

    def _init(self, name: str, settings: dict[str, object]) -> Any:
        # Trackio finds a run by its name, and other folders may have runs of the same name.
        run_name = self._state.get("run") or f"{name}-{self._state['id']}"
        self._update(run=run_name)
        with redirect_stdout(io.StringIO()):  # it prints to standard output, which may be JSON
            return self._module.init(
                project=os.environ.get("TRACKIO_PROJECT", PROJECT),
                name=run_name,
                config=settings,
                resume="allow",
                embed=False,
                auto_log_gpu=False,  # these would count steps of their own
                auto_log_cpu=False,
            )

    def _last_step(self) -> int:
        # A killed process may lose rows that it remembered but had only queued.
        step = getattr(self._run, "_next_step", super()._last_step() + 1) - 1
        return max(0, int(step))
