"""Experiment trackers, one file each. A run folder holds every number without them, too."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from fullconv._registry import Registry
from fullconv.errors import FullconvError

Numbers = Mapping[str, float]


@runtime_checkable
class Tracker(Protocol):
    """A place to log metrics to; it raises an exception if it cannot continue."""

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """Open a new run, or resume the one that belongs to the folder.

        Args:
            folder: of the run; the tracker keeps its state in it.
            name: of the run, for display.
            settings: of the run, plain values; logged if the run is new.

        Returns:
            The last step that the tracker has; 0 if the run is new.
        """

    def log(self, step: int, numbers: Numbers) -> None:
        """Log numbers by name; each step is given once, in ascending order."""

    def end(self, finished: bool) -> None:
        """Close the run, so nothing is lost when the process ends.

        Args:
            finished: the run is finished, rather than stopped to be resumed.
        """


trackers: Registry[Callable[[], Tracker]] = Registry("fullconv.training.run.trackers", "tracker")


class Tracking:
    """The trackers of one run. A tracker that fails is reported once and disabled.

    `begin`, `log` and `end` return a sentence for each tracker that they had to disable.

    Raises:
        UnknownNameError: there is no such tracker.
        MissingExtraError: a tracker's package is not installed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._active = {name: trackers[name]() for name in names}
        self._last_steps: dict[str, int] = {}

    def begin(
        self,
        folder: Path,
        name: str,
        settings: Mapping[str, object],
        past: Iterable[tuple[int, Numbers]] = (),
    ) -> list[str]:
        """Open the run in all trackers, and log the past rows that a tracker lacks.

        Args:
            folder: of the run.
            name: of the run, for display.
            settings: of the run, plain values.
            past: step and numbers of each row so far, if the run is resumed.
        """

        def open_tracker(kind: str, tracker: Tracker) -> None:
            self._last_steps[kind] = tracker.begin(folder, name, settings)

        notes = self._for_each(open_tracker)
        return notes + [note for step, numbers in past for note in self.log(step, numbers)]

    def log(self, step: int, numbers: Numbers) -> list[str]:
        """Log a step's finite numbers to each tracker that does not have the step yet."""
        finite = {name: float(value) for name, value in numbers.items() if math.isfinite(value)}

        def log_to(kind: str, tracker: Tracker) -> None:
            if step > self._last_steps[kind]:
                tracker.log(step, finite)
                self._last_steps[kind] = step

        return self._for_each(log_to)

    def end(self, finished: bool) -> list[str]:
        """Close all trackers."""
        return self._for_each(lambda _, tracker: tracker.end(finished))

    def _for_each(self, action: Callable[[str, Tracker], None]) -> list[str]:
        notes = []
        for kind, tracker in list(self._active.items()):
            try:
                action(kind, tracker)
            except (Exception, SystemExit) as error:  # third-party code may raise anything
                del self._active[kind]
                notes.append(_failure_note(kind, error))
        return notes


def with_classes(row: Numbers, classes: Sequence[str], iou: Iterable[float]) -> dict[str, float]:
    """Return a row of results.csv without its step, and the IoU of each class as "iou/NAME"."""
    per_class = {f"iou/{name}": value for name, value in zip(classes, iou, strict=False)}
    return {name: value for name, value in row.items() if name != "step"} | per_class


def _failure_note(kind: str, error: BaseException) -> str:
    reason = " ".join(str(error).split())[:300] or "no reason given"
    if not isinstance(error, FullconvError):
        reason = f"{type(error).__name__}: {reason}"
    return (
        f"tracker {kind} failed and is disabled until the run is resumed ({reason}); results.csv "
        "has every number, and --resume logs what the tracker lacks"
    )
