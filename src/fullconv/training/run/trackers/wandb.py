"""Weights & Biases: offline files under wandb/ in the run folder, or WANDB_MODE=online."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullconv.training.run.trackers import trackers
from fullconv.training.run.trackers._wandb_api import PROJECT, WandbLikeTracker

# Nothing is printed into a command's progress bar, and no source code is uploaded.
QUIET = {"silent": True, "console": "off", "disable_git": True, "save_code": False}
PART = re.compile(r"offline-run-[\w-]+")  # wandb creates such a folder for each process


@trackers.register("wandb")
class Wandb(WandbLikeTracker):
    """A run that is offline unless WANDB_MODE is "online"; `wandb sync` uploads it later.

    An offline run cannot be asked for its last step, and a kill loses what wandb holds in memory,
    mostly all rows of that process. Therefore two more values are remembered: the step of the last
    proper end ("sure"), and the offline part that has not ended ("open"). On resuming, such a part
    is deleted and its rows are logged again.
    """

    name = "wandb"

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`."""
        self._folder = folder
        state = self._state
        if state.get("open") and _discard(folder, str(state["open"])):
            self._update(step=state.get("sure", 0), open="")
        return super().begin(folder, name, settings)

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        self._run.finish(exit_code=0 if finished else 1)
        self._update(sure=self._state["step"], open="")

    def _init(self, name: str, settings: dict[str, object]) -> Any:
        mode = os.environ.get("WANDB_MODE") or "offline"
        self._update(open="")
        run = self._module.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=name,
            id=str(self._state["id"]),
            resume="allow",
            dir=str(self._folder),
            config=settings,
            mode=mode,
            reinit="create_new",
            settings=QUIET,
        )
        self._update(open=Path(run.dir).parent.name if mode == "offline" else "")
        return run


def _discard(folder: Path, part: str) -> bool:
    """Delete an offline part that never ended, unless it was uploaded already."""
    path = folder / "wandb" / part
    if not PART.fullmatch(part) or not path.is_dir() or list(path.glob("*.synced")):
        return False
    shutil.rmtree(path)
    return True
