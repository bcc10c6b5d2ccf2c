"""Weights & Biases: files under wandb/ in the run folder; the service, if WANDB_MODE says so."""

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullconv.errors import require
from fullconv.training.run.trackers import Numbers, trackers
from fullconv.training.run.trackers._state import recall, remember

PROJECT = "fullconv"  # where WANDB_PROJECT names no other
# Nothing is printed into the progress of a command, and no source code is taken along.
QUIET = {"silent": True, "console": "off", "disable_git": True, "save_code": False}
PART = re.compile(r"offline-run-[\w-]+")  # a folder of wandb's, one each process


@trackers.register("wandb")
class Wandb:
    """A run that is offline unless WANDB_MODE is "online"; `wandb sync` sends it later.

    An offline run cannot say how far it is, and a kill loses what wandb holds in memory: mostly all
    since it began. So what is remembered here is which step is sure (the last before a proper end),
    and which part never ended. That part is thrown away, and its rows are handed on once more.
    """

    _run: Any
    _folder: Path

    def __init__(self) -> None:
        self._wandb = require("wandb", extra="wandb", what="--track wandb")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`."""
        known: dict[str, Any] = {"id": secrets.token_hex(4), "step": 0, "sure": 0, "open": ""}
        known |= recall(folder, "wandb")
        mode = os.environ.get("WANDB_MODE") or "offline"
        if known["open"] and _discard(folder, str(known["open"])):
            known["step"] = known["sure"]
        self._folder = folder
        remember(folder, "wandb", **known | {"open": ""})
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=name,
            id=str(known["id"]),
            resume="allow",
            dir=str(folder),
            config=dict(settings),
            mode=mode,
            reinit="create_new",
            settings=QUIET,
        )
        self._update(open=Path(self._run.dir).parent.name if mode == "offline" else "")
        return int(known["step"])

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`."""
        # Before, not after: a kill in between costs a row there, and never writes one twice.
        self._update(step=step)
        self._run.log(dict(numbers), step=step)

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        self._run.finish(exit_code=0 if finished else 1)
        self._update(sure=recall(self._folder, "wandb")["step"], open="")

    def _update(self, **values: object) -> None:
        remember(self._folder, "wandb", **recall(self._folder, "wandb") | values)


def _discard(folder: Path, part: str) -> bool:
    """Remove a part of an offline run that never ended, unless it was sent already."""
    place = folder / "wandb" / part
    if not PART.fullmatch(part) or not place.is_dir() or list(place.glob("*.synced")):
        return False
    shutil.rmtree(place)
    return True
