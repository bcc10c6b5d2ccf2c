"""What a run takes down as it goes: its rows, its classes' rows, its events, and its trackers."""

import statistics
from collections.abc import Mapping

import torch

from fullconv.evaluation.metrics import ClassRow, Confusion
from fullconv.hardware import peak_memory
from fullconv.training.run.event_log import EventLog
from fullconv.training.run.folder import Run
from fullconv.training.run.trackers import Tracking, with_classes


class RunLogger:
    """The records of one run; every file of them is whole after each epoch.

    An epoch is taken down before its checkpoint is written. So after a kill in between, the files
    are cut back to the checkpoint, and the epoch, which comes out the same, is taken down again; a
    tracker that holds it already is not given it twice. Where that checkpoint was written after the
    epoch's last step, the cut leaves the epoch there, and its new lines replace the old.

    Args:
        run: its folder.
        classes: their names.
        tracking: the trackers, not yet begun.
        done: steps that the checkpoint holds which is gone on from; 0 for a run that begins.
        writes: whether this process is the one of several that writes.

    Raises:
        ConfigError: events.jsonl holds something else.
    """

    def __init__(
        self, run: Run, classes: tuple[str, ...], tracking: Tracking, done: int, writes: bool = True
    ) -> None:
        self.run = run
        self.classes = classes
        self.tracking = tracking
        self.writes = writes
        self.rows = run.read_results(until=done)
        self.class_rows = run.read_class_history(until=done)
        self.events = EventLog(run.events, until=done)
        self.done = done
        self._seconds: list[float] = []  # of this epoch's steps

    def begin(self, name: str, settings: Mapping[str, object], **facts: object) -> list[str]:
        """Say that the run begins or goes on; what it gives, as the others do, are notes.

        Args:
            name: of the run, for the trackers.
            settings: of the run, for the trackers.
            facts: what the event tells, plain values.
        """
        if not self.writes:
            return []
        self.events.add("resume" if self.events.events else "start", self.done, **facts)
        by_step = {row.step: row.iu for row in self.class_rows}
        past = [
            (int(row["step"]), with_classes(row, self.classes, by_step.get(int(row["step"]), ())))
            for row in self.rows
        ]
        return self._noted(self.done, self.tracking.begin(self.run.folder, name, settings, past))

    def step(self, seconds: float) -> None:
        """Take a step's time, loading included."""
        self._seconds.append(seconds)

    def pace(self, photos: int, device: torch.device) -> dict[str, float]:
        """The columns about this epoch's steps, each of so many photos; the next epoch is new."""
        middle = statistics.median(self._seconds) if self._seconds else float("nan")
        self._seconds = []
        return {
            "step_seconds": middle,
            "images_per_second": photos / max(middle, 1e-9),
            "memory": peak_memory(device),
        }

    def epoch(self, row: Mapping[str, float], confusion: Confusion | None) -> list[str]:
        """Take down an epoch.

        Args:
            row: its line of results.csv.
            confusion: of its evaluation; None where it was not evaluated.
        """
        step = int(row["step"])
        self.rows = [*(earlier for earlier in self.rows if earlier["step"] < step), dict(row)]
        if not self.writes:
            return []
        self.run.write_results(self.rows)
        iu = tuple(map(float, confusion.iu)) if confusion else ()
        if confusion:
            earlier = [line for line in self.class_rows if line.step < step]
            self.class_rows = [*earlier, ClassRow(int(row["epoch"]), step, iu)]
            self.run.write_class_history(self.classes, self.class_rows)
        numbers = with_classes(row, self.classes, iu)
        self.events.take_back("epoch", step)
        self.events.add("epoch", step, **{"epoch": int(row["epoch"])} | dict(_rest(numbers)))
        return self._noted(step, self.tracking.log(step, numbers))

    def note(self, step: int, text: str) -> None:
        """Take down what was noticed after a step."""
        if self.writes:
            self.events.add("note", step, text=text)

    def end(self, kind: str, step: int, **facts: object) -> list[str]:
        """Say that the run is over: "finish", or "stop" where it may go on later."""
        if not self.writes:
            return []
        self.events.add(kind, step, **facts)
        return self._noted(step, self.tracking.end(finished=kind == "finish"))

    @property
    def notes(self) -> list[tuple[int, str]]:
        """What was noticed so far: step and sentence, each once though a resumed run repeats it."""
        first: dict[str, int] = {}
        for event in self.events.of("note"):
            first.setdefault(str(event["text"]), event["step"])
        return [(step, text) for text, step in first.items()]

    def _noted(self, step: int, texts: list[str]) -> list[str]:
        for text in texts:
            self.note(step, text)
        return texts


def _rest(numbers: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, value) for name, value in numbers.items() if name != "epoch"]
