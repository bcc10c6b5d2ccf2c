"""A whole run: train, evaluate after every epoch, keep the best, and write the report."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from fullconv._version import __version__
from fullconv.config import RunConfig
from fullconv.data.discovery.splits import write_splits
from fullconv.data.formats import open_data
from fullconv.evaluation.evaluate import Evaluation, score_each, summarise
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.report.page import ReportData, write_report
from fullconv.evaluation.summary import gallery, known, numbers
from fullconv.io.atomic import explained
from fullconv.model import Model, load
from fullconv.training.distributed import ALONE, ProcessGroup
from fullconv.training.events import Epoch, EvalProgress, Note
from fullconv.training.initial_model import new_model
from fullconv.training.monitor import TrainingMonitor
from fullconv.training.preflight import Preflight, preflight
from fullconv.training.report import facts, next_commands, summary
from fullconv.training.run.folder import Run
from fullconv.training.run.logger import RunLogger
from fullconv.training.run.trackers import Tracking
from fullconv.training.stages import resolved, validation
from fullconv.training.trainer import Step, Training
from fullconv.training.validation import added_up, confusions

SAVE_SECONDS = 300.0  # a kill costs at most this much work
REHEARSED = 50  # steps from which a training is worth a rehearsal


class Experiment:
    """One run: its data, its training, and from `enter` on its folder.

    Args:
        config: all settings; what they leave open is decided from the data.
        begin: a model file to begin with, instead of the settings' weights.
        team: the processes that do it together; the first writes the files.
    """

    run: Run
    chronicle: RunLogger

    def __init__(
        self, config: RunConfig, begin: Path | None = None, team: ProcessGroup = ALONE
    ) -> None:
        self.team = team
        self.tracking = Tracking(config.track)
        self.train = open_data(config.data, "train")
        self.val, self.split_note = validation(config.data, self.train)
        self.config = resolved(config, self.train)
        weights = {"weights": str(begin)} if begin else {}
        model = new_model(self.config.model_copy(update=weights), self.train)
        self.training = Training(model, self.train, self.config, team)
        self.best = (float("-inf"), 0)  # mean IU, and the epoch it came from
        self.losses = (0.0, 0)  # sum and count of this epoch's, for its row
        self.trial: Preflight | None = None
        self.recorder = TrainingMonitor(self.train.classes, self.config, self.training.steps)

    def enter(self, run: Run) -> None:
        """Work in this folder; if it holds a checkpoint, the run goes on exactly there."""
        self.run = run
        if self.team.is_main:
            with explained(run.folder):
                run.folder.mkdir(parents=True, exist_ok=True)
                run.hold()
                run.clean()
        if run.last.is_file():
            self._restore()
        elif self.team.is_main:
            run.write_config(self.config.model_dump(mode="json"))
            if self.val is not self.train:
                write_splits(run.folder / "splits", {"train": self.train, "val": self.val})

        done, classes = self.training.done, self.train.classes
        self.chronicle = RunLogger(run, classes, self.tracking, done, self.team.is_main)
        if self.chronicle.rows:
            self.recorder.go_on(self.chronicle.rows[0]["loss"])

    @property
    def model(self) -> Model:
        """The model in training."""
        return self.training.model

    def rehearse(self) -> Preflight | None:
        """A few steps that are taken back, where the training is new and long enough for them."""
        worth = self.config.preflight and self.training.steps >= REHEARSED
        if worth and not self.training.done:
            self.trial = preflight(self.training)
        return self.trial

    def events(self) -> Generator[Step | EvalProgress | Epoch | Note, None, None]:
        """Train to the end; every step, after the last of an epoch its evaluation, and notes.

        Close it before `save` where it is left early: an evaluation has other weights in place.
        """
        settings = self.config.model_dump(mode="json")
        facts: dict[str, Any] = {"fullconv": __version__, "device": str(self.training.device)}
        facts |= {"steps": self.training.steps}
        notes = self.chronicle.begin(self.run.folder.name, settings, **facts)
        yield from (Note(self.training.done, text) for text in notes)
        for warning in self.trial.warnings if self.trial else ():  # said when it was found
            self.chronicle.note(0, warning)
        began = saved = time.monotonic()
        if self.losses[1] and self.training.ends_epoch:  # it was stopped in that evaluation
            yield from self._end_epoch(began)
            began = saved = time.monotonic()
        for step in self.training.run():
            self.losses = (self.losses[0] + step.loss, self.losses[1] + 1)
            self.chronicle.step(step.seconds)
            yield step
            yield from self._noted(self.recorder.step(step.number, step.loss))
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
            if step.ends_epoch:
                yield from self._end_epoch(began)
                began = saved = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint that `--resume` goes on from."""
        if not self.team.is_main:
            return
        best, epoch = self.best
        self.training.save(
            self.run.last,
            best_mean_iu=best if epoch else None,
            best_epoch=epoch,
            epoch_losses=self.losses,
            seed=self.config.seed,
        )

    def finish(self) -> Evaluation:
        """Evaluate the best model and write the report; the run is finished then."""
        best = load(self.run.best)
        protocol = best.protocol + self.split_note
        evaluation = summarise(score_each(best, self.val), self.val, protocol)
        write_report(self.run.folder, self._story(best, evaluation))
        result = numbers(evaluation) | {"best_epoch": self.best[1]}
        self.chronicle.end("finish", self.training.done, **result)
        self.run.write_summary(result)
        return evaluation

    def stop(self, reason: str) -> None:
        """Save, and say in the records why the run is left before its end."""
        self.save()
        self.chronicle.end("stop", self.training.done, reason=reason)

    def _noted(self, texts: Sequence[str]) -> Iterator[Note]:
        for text in texts:
            self.chronicle.note(self.training.done, text)
            yield Note(self.training.done, text)

    def _end_epoch(self, began: float) -> Iterator[EvalProgress | Epoch | Note]:
        """Evaluate, and take the epoch down."""
        self.training.check_weights()
        done, epoch, epochs = self.training.done, self.training.epoch, self.training.epochs
        due = epoch % self.config.evaluate_every == 0 or done == self.training.steps
        measured = (yield from self._judged()) if due else None
        seconds = time.monotonic() - began
        row = self._row(measured or Confusion(len(self.model.classes)), seconds)
        self.losses = (0.0, 0)
        lost = self.chronicle.epoch(row, measured)  # before the checkpoint, see there
        self.save()
        yield from (Note(done, text) for text in lost)
        yield Epoch(epoch, epochs, row, self.best, seconds, seconds * (epochs - epoch), measured)
        if measured:
            yield from self._noted(self.recorder.epoch(done, measured, self.model.network))

    def _judged(self) -> Generator[EvalProgress, None, Confusion]:
        """Evaluate the weights that count, and keep them where they are the best so far."""
        with self.training.averaged():
            confusion = yield from self._measured()
            score = known(confusion.mean_iu)
            if self.config.keep == "last" or score > self.best[0]:
                self.best = (score, self.training.epoch)
                if self.team.is_main:
                    self.model.save(self.run.best)
        return confusion

    def _row(self, confusion: Confusion, seconds: float) -> dict[str, float]:
        """The epoch's line of results.csv."""
        done = self.training.done
        row = {"epoch": self.training.epoch, "step": done, "loss": self.losses[0] / self.losses[1]}
        row |= {"lr": self.training.rate(done - 1)}
        row |= {**confusion.numbers(), "seconds": round(seconds, 1)}
        return row | self.chronicle.pace(self.training.batch, self.training.device)

    def _measured(self) -> Generator[EvalProgress, None, Confusion]:
        self.training.broadcast()
        found = Confusion(len(self.model.classes))
        samples = math.ceil(len(self.val) / self.team.size)
        for number, one in enumerate(confusions(self.model, self.val, self.team), 1):
            found += one
            yield EvalProgress(number, samples)
        return added_up(found, self.model, self.team)

    def _restore(self) -> None:
        notes = self.training.restore(self.run.last)
        if notes["best_epoch"]:
            self.best = (notes["best_mean_iu"], notes["best_epoch"])
        self.losses = (notes["epoch_losses"][0], notes["epoch_losses"][1])

    def _story(self, best: Model, evaluation: Evaluation) -> ReportData:
        """All that the report tells of this run."""
        evaluated, history = len(self.val), self.run.read_results()
        weights = self.training.loss.weights
        return ReportData(
            title=self.run.folder.name,
            summary=summary(self.config, self.training, evaluated),
            facts=facts(self.config, self.training, evaluated, self.best[1], history),
            classes=best.classes,
            palette=best.palette,
            history=history,
            confusion=evaluation.confusion,
            pictures=gallery(best, self.val, evaluation),
            protocol=evaluation.protocol,
            commands=next_commands(self.run.folder, self.config.data),
            class_history=self.chronicle.class_rows,
            class_weights=None if weights is None else weights.tolist(),
            notes=self.chronicle.notes,
        )
