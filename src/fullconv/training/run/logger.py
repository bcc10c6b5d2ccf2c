"""Log a run: metrics per epoch and class, events, and experiment trackers."""

import statistics
from collections.abc import Mapping

import torch

from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion, EpochIoU
from fullconv.hardware import peak_memory
from fullconv.training.run.event_log import EventLog
from fullconv.training.run.folder import Run
from fullconv.training.run.tables import check_complete
from fullconv.training.run.trackers import Tracking, with_classes


class RunLogger:
    """The logs of one run; each file is complete after each epoch.

    An epoch is logged before its checkpoint is written. If the process is killed in between, the
    files are cut back to the checkpoint on resuming, and the epoch, which has the same result, is
    logged again; a tracker that has it already does not get it twice. If that checkpoint was
    written after the epoch's last step, the cut keeps the epoch, and its new rows replace the old.

    Args:
        run: the folder of the run.
        classes: class names; of several heads, see `Data.score_names`.
        tracking: the trackers, not yet started.
        done: step of the checkpoint that is resumed; 0 for a new run.
        is_main: whether this process writes files.

    Raises:
        ConfigError: events.jsonl holds something other than events.
    """

    def __init__(
        self,
        run: Run,
        classes: tuple[str, ...],
        tracking: Tracking,
        done: int,
        is_main: bool = True,
    ) -> None:
        self.run = run
        self.classes = classes
        self.tracking = tracking
        self.is_main = is_main
        self.rows = run.read_results(until=done)
        self.class_rows = run.read_class_history(until=done)
        self.events = EventLog(run.events, until=done)
        self.done = done
        self._seconds: list[float] = []  # of this epoch's steps

    def begin(self, name: str, settings: Mapping[str, object], **facts: object) -> list[str]:
        """Log that the run starts or resumes; return notes about trackers that failed.

        Args:
            name: of the run, for the trackers.
            settings: of the run, for the trackers.
            facts: plain values of the event.
        """
        if not self.is_main:
            return []
        self.events.add("resume" if self.events.events else "start", self.done, **facts)
        by_step = {row.step: row.iou for row in self.class_rows}
        past = [
            (int(row["step"]), with_classes(row, self.classes, by_step.get(int(row["step"]), ())))
            for row in self.rows
        ]
        return self._log_notes(
            self.done, self.tracking.begin(self.run.folder, name, settings, past)
        )

    def step(self, seconds: float) -> None:
        """Count a step's time, loading included."""
        self._seconds.append(seconds)

    def speed(self, batch: int, device: torch.device) -> dict[str, float]:
        """Return the time and memory columns of the epoch that ends, and start a new one."""
        median = statistics.median(self._seconds) if self._seconds else float("nan")
        self._seconds = []
        return {
            "step_seconds": median,
            "images_per_second": batch / max(median, 1e-9),
            "memory": peak_memory(device),
        }

    def epoch(self, row: Mapping[str, float], metrics: HeadMetrics[Confusion] | None) -> list[str]:
        """Log an epoch; return notes about trackers that failed.

        Args:
            row: its row of results.csv.
            metrics: of its evaluation; None if it was not evaluated.
        """
        step = int(row["step"])
        self.rows = [*(earlier for earlier in self.rows if earlier["step"] < step), dict(row)]
        if not self.is_main:
            return []
        self.run.write_results(self.rows)
        iou = tuple(map(float, metrics.iou)) if metrics else ()
        if metrics:
            earlier_rows = [earlier for earlier in self.class_rows if earlier.step < step]
            self.class_rows = [*earlier_rows, EpochIoU(int(row["epoch"]), step, iou)]
            self.run.write_class_history(self.classes, self.class_rows)
        values = with_classes(row, self.classes, iou)
        self.events.discard("epoch", step)
        self.events.add("epoch", step, **{**values, "epoch": int(row["epoch"])})
        return self._log_notes(step, self.tracking.log(step, values))

    def note(self, step: int, text: str) -> None:
        """Log a warning after a step."""
        if self.is_main:
            self.events.add("note", step, text=text)

    def end(self, kind: str, step: int, **facts: object) -> list[str]:
        """Log that the run ends: "finish", or "stop" if it may be resumed."""
        if not self.is_main:
            return []
        self.events.add(kind, step, **facts)
        return self._log_notes(step, self.tracking.end(finished=kind == "finish"))

    def check_complete(self, results: int, evaluation: int) -> None:
        """Check that the tables are complete up to these steps; see `tables.check_complete`.

        Raises:
            ConfigError: rows are missing, so the file is damaged.
        """
        check_complete(self.run.results, [row["step"] for row in self.rows], results)
        path, steps = self.run.per_class_history, [row.step for row in self.class_rows]
        check_complete(path, steps, evaluation)

    @property
    def notes(self) -> list[tuple[int, str]]:
        """Warnings so far: step and text, each once even if a resumed run repeats it."""
        first: dict[str, int] = {}
        for event in self.events.of_kind("note"):
            first.setdefault(str(event["text"]), event["step"])
        return [(step, text) for text, step in first.items()]

    def _log_notes(self, step: int, texts: list[str]) -> list[str]:
        for text in texts:
            self.note(step, text)
        return texts
