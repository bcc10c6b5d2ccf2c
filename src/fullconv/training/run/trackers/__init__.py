"""Where a run's numbers go besides its folder. One file a tracker; this folder is the list.

A run folder holds all there is without any of them: trackers are for those who watch many runs.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from fullconv._registry import Registry

Numbers = Mapping[str, float]


@runtime_checkable
class Tracker(Protocol):
    """One place that takes down numbers; a raised exception means that it cannot go on."""

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """Open a run, or go on with the one that belongs to the folder.

        Args:
            folder: of the run; what has to be remembered of the tracker's run is kept in it.
            name: of the run, for people.
            settings: of the run, plain values; taken down where the run is new.

        Returns:
            The last step that the tracker already holds; 0 where the run is new.
        """

    def log(self, step: int, numbers: Numbers) -> None:
        """Take down numbers by their names; each step is given once, in rising order."""

    def end(self, finished: bool) -> None:
        """Let all be where it outlives this process.

        Args:
            finished: the run came to its end, and was not stopped to go on later.
        """


trackers: Registry[Callable[[], Tracker]] = Registry("fullconv.training.run.trackers", "tracker")


class Tracking:
    """The trackers of one run. One that fails is said once and left out; none stops a training.

    What `begin`, `log` and `end` give are sentences about trackers that are left out from then on.

    Args:
        names: of the trackers.

    Raises:
        UnknownNameError: there is no such tracker.
        MissingExtraError: a tracker's package is not installed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._working = {name: trackers[name]() for name in names}
        self._held: dict[str, int] = {}  # the last step of each tracker

    def begin(
        self,
        folder: Path,
        name: str,
        settings: Mapping[str, object],
        past: Iterable[tuple[int, Numbers]] = (),
    ) -> list[str]:
        """Open the run everywhere, and hand on what a tracker missed of the past.

        Args:
            folder: of the run.
            name: of the run, for people.
            settings: of the run, plain values.
            past: step and numbers of each row so far, of a run that goes on.
        """

        def opened(kind: str, tracker: Tracker) -> None:
            self._held[kind] = tracker.begin(folder, name, settings)

        notes = self._each(opened)
        return notes + [note for step, numbers in past for note in self.log(step, numbers)]

    def log(self, step: int, numbers: Numbers) -> list[str]:
        """Give a step's numbers to each tracker that lacks them; those not finite are left out."""
        known = {name: float(value) for name, value in numbers.items() if math.isfinite(value)}

        def logged(kind: str, tracker: Tracker) -> None:
            if step > self._held[kind]:
                tracker.log(step, known)
                self._held[kind] = step

        return self._each(logged)

    def end(self, finished: bool) -> list[str]:
        """Close all, so that nothing is lost with the process."""
        return self._each(lambda _, tracker: tracker.end(finished))

    def _each(self, do: Callable[[str, Tracker], None]) -> list[str]:
        notes = []
        for kind, tracker in list(self._working.items()):
            try:
                do(kind, tracker)
            except (Exception, SystemExit) as error:  # other people's code may raise anything
                del self._working[kind]
                notes.append(_farewell(kind, error))
        return notes


def with_classes(row: Numbers, classes: Sequence[str], iu: Iterable[float]) -> dict[str, float]:
    """A row of results.csv with each class's intersection over union under "iu/NAME"."""
    per_class = {f"iu/{name}": value for name, value in zip(classes, iu, strict=False)}
    return {name: value for name, value in row.items() if name != "step"} | per_class


def _farewell(kind: str, error: BaseException) -> str:
    reason = " ".join(str(error).split())[:200] or "no reason given"
    return (
        f"{kind} is left out from here on, training goes on without it "
        f"({type(error).__name__}: {reason}); results.csv has every number, and --resume hands on "
        "what is missing"
    )
