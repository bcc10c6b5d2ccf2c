"""A whole run: train, evaluate after each epoch, keep the best model, write the report."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from fullconv._version import __version__
from fullconv.config import RunConfig
from fullconv.data.discovery.resplit import write_splits
from fullconv.data.formats import open_data
from fullconv.evaluation.evaluate import Evaluation, summarize
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.report.page import write_report
from fullconv.evaluation.scored_samples import score_samples
from fullconv.evaluation.summary import nan_to_lowest
from fullconv.inference.model_file import read_card
from fullconv.io.atomic import explained
from fullconv.model import Model, load
from fullconv.training.checkpoint import choose_checkpoint, remove_previous
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.events import Epoch, EvalProgress, Note
from fullconv.training.fingerprint import check_unchanged, fingerprint
from fullconv.training.initial_model import start_model
from fullconv.training.monitor import TrainingMonitor
from fullconv.training.preflight import Preflight, preflight
from fullconv.training.progress import RunProgress
from fullconv.training.report import report_data
from fullconv.training.resolve import resolve
from fullconv.training.resolve_network import resolve_network
from fullconv.training.run.folder import Run
from fullconv.training.run.logger import RunLogger
from fullconv.training.run.trackers import Tracking
from fullconv.training.trainer import Step, Trainer
from fullconv.training.validation import confusions, open_validation, sum_confusions

SAVE_SECONDS = 300.0  # between checkpoints within an epoch: a kill loses at most this much work
PREFLIGHT_STEPS = 50  # steps from which a training is worth a dry run


class Experiment:
    """One run: its data, its training and, once `attach` was called, its folder.

    Args:
        config: all settings; open ones are decided from the data.
        initial: a model file to start from, instead of the settings' weights.
        group: the processes that train together; the main one writes the files.
    """

    run: Run
    logger: RunLogger
    checkpoint_note = ""
    data_digest = ""

    def __init__(
        self,
        config: RunConfig,
        initial: Path | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.group = group
        self.tracking = Tracking(config.track)
        self.train = open_data(config.data, "train")
        self.val, self.split_note = open_validation(config.data, self.train)
        resolved, self.scale = resolve(config, self.train)
        self.config, self.decisions = resolve_network(resolved, self.train)
        weights = {"weights": str(initial)} if initial else {}
        model, self.weights_report = start_model(self.config.model_copy(update=weights), self.train)
        self.trainer = Trainer(model, self.train, self.config, group)
        self.progress = RunProgress()
        self.preflight: Preflight | None = None
        self.monitor = TrainingMonitor(self.train.classes, self.config, self.trainer.steps)

    @property
    def model(self) -> Model:
        """The model in training."""
        return self.trainer.model

    def attach(self, run: Run, whole: Run | None = None) -> None:
        """Use this run folder; if it holds a checkpoint, resume from it.

        Args:
            run: the folder.
            whole: the run that it is a stage of; None for a run of one stage.

        Raises:
            ConfigError: another process trains in the folder, or one of its logs is damaged.
            DataError: the data set is not the one that the run was started on.
            WeightsError: the checkpoint is damaged, and the one before it too.
            OutputError: the folder cannot be written.
        """
        self.run = run
        if self.group.is_main:
            with explained(run.folder):
                run.folder.mkdir(parents=True, exist_ok=True)
                run.hold()
                run.clean()
        checkpoint = self._choose_checkpoint(whole or run)
        if checkpoint:
            self.progress = RunProgress.from_notes(self.trainer.restore(checkpoint))
        elif self.group.is_main:
            run.write_config(self.config.model_dump(mode="json"))
            if self.val is not self.train:
                write_splits(run.folder / "splits", {"train": self.train, "val": self.val})
        self.logger = RunLogger(
            run, self.train.classes, self.tracking, self.trainer.done, self.group.is_main
        )
        if self.group.is_main:
            epochs = self._finished_epochs()
            every = self.config.evaluate_every
            last = self.trainer.done == self.trainer.steps
            self.logger.check_complete(epochs, epochs if last else epochs // every * every)
        if self.logger.rows:
            self.monitor.resume(self.logger.rows[0].get("loss", math.nan))

    def _finished_epochs(self) -> int:
        """Return the epochs that were logged before the checkpoint."""
        trainer = self.trainer
        if trainer.done == trainer.steps and not self.progress.loss_count:
            return trainer.epochs
        return max(0, trainer.done - bool(self.progress.loss_count)) // trainer.epoch_steps

    def _choose_checkpoint(self, whole: Run) -> Path | None:
        """Return the checkpoint to resume from, once the data proved to be the run's."""
        name = ""
        if self.group.is_main:
            path, self.checkpoint_note = choose_checkpoint(self.run.last)
            stored = read_card(path).training.get("data") if path else None
            data = fingerprint(self.train, self.val)
            check_unchanged(whole.data, data, stored, self.config.data)
            self.data_digest = data.digest
            name = path.name if path else ""
        name = self.group.broadcast_text(name)
        return self.run.folder / name if name else None

    def run_preflight(self) -> Preflight | None:
        """Make a dry run if the training is new and long enough; return its result."""
        enabled = self.config.preflight and self.trainer.steps >= PREFLIGHT_STEPS
        if enabled and not self.trainer.done:
            self.preflight = preflight(self.trainer)
        return self.preflight

    def events(self) -> Generator[Step | EvalProgress | Epoch | Note, None, None]:
        """Train to the end, yielding every step, evaluation progress, finished epoch and warning.

        To stop early, close this generator before `save`: during an evaluation the network holds
        other weights (EMA, adjusted logits).
        """
        yield from self._start_log()
        trainer, progress = self.trainer, self.progress
        began = saved = time.monotonic()
        if progress.loss_count and trainer.ends_epoch:  # stopped during an evaluation
            yield from self._end_epoch(began)
            began = saved = time.monotonic()
        for step in trainer.run():
            progress.add_loss(step.loss)
            self.logger.step(step.seconds)
            yield step
            yield from self._log_notes(self.monitor.step(step.number, step.loss))
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
            if step.ends_epoch:
                yield from self._end_epoch(began)
                began = saved = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint that `--resume` uses."""
        if self.group.is_main:
            facts = {"seed": self.config.seed, "data": self.data_digest}
            notes = self.progress.notes() | facts
            self.trainer.save(self.run.last, **notes)

    def finish(self) -> Evaluation:
        """Evaluate the kept model and write the report and the summary, which ends the run."""
        best = load(self.run.best)
        protocol = best.protocol + self.split_note
        evaluation = summarize(score_samples(best, self.val), self.val, protocol)
        best_epoch = self.progress.best_epoch
        report = report_data(
            self.config, self.trainer, self.val, best, best_epoch, evaluation, self.logger
        )
        write_report(self.run.folder, report)
        result = evaluation.to_dict() | {"best_epoch": best_epoch}
        self.logger.end("finish", self.trainer.done, **result)
        remove_previous(self.run.last)  # nothing will be resumed
        self.run.write_summary(result)
        return evaluation

    def stop(self, reason: str) -> None:
        """Save a checkpoint and log why the run stops before its end."""
        self.save()
        self.logger.end("stop", self.trainer.done, reason=reason)

    def _start_log(self) -> Iterator[Note]:
        settings = self.config.model_dump(mode="json")
        facts = {
            "fullconv": __version__,
            "device": str(self.trainer.device),
            "steps": self.trainer.steps,
        }
        for text in self.logger.begin(self.run.folder.name, settings, **facts):
            yield Note(self.trainer.done, text)
        if self.checkpoint_note:
            yield from self._log_notes([self.checkpoint_note])
        loaded = self.weights_report.warnings if self.weights_report else ()
        dry_run = self.preflight.warnings if self.preflight else ()
        for warning in dict.fromkeys((*self.train.warnings, *self.val.warnings, *loaded, *dry_run)):
            self.logger.note(0, warning)  # printed already

    def _log_notes(self, texts: Sequence[str]) -> Iterator[Note]:
        for text in texts:
            self.logger.note(self.trainer.done, text)
            yield Note(self.trainer.done, text)

    def _end_epoch(self, began: float) -> Iterator[EvalProgress | Epoch | Note]:
        """Evaluate if it is due, log the epoch and save a checkpoint."""
        trainer = self.trainer
        trainer.check_weights()
        done, epoch, epochs = trainer.done, trainer.epoch, trainer.epochs
        due = epoch % self.config.evaluate_every == 0 or done == trainer.steps
        confusion = (yield from self._validate()) if due else None
        seconds = time.monotonic() - began
        row = self._row(confusion or Confusion(len(self.model.classes)), seconds)
        self.progress.end_epoch()
        tracker_notes = self.logger.epoch(row, confusion)  # before the checkpoint, see RunLogger
        self.save()
        yield from (Note(done, text) for text in tracker_notes)
        yield Epoch(
            number=epoch,
            epochs=epochs,
            row=row,
            best=(self.progress.best_score, self.progress.best_epoch),
            seconds=seconds,
            left=seconds * (epochs - epoch),
            confusion=confusion,
        )
        if confusion:
            yield from self._log_notes(self.monitor.epoch(done, confusion, self.model.network))

    def _validate(self) -> Generator[EvalProgress, None, Confusion]:
        """Evaluate with the weights of the final model, and save it if it is the best so far."""
        with self.trainer.inference_weights():
            confusion = yield from self._evaluate()
            score = nan_to_lowest(confusion.mean_iou)
            if self.config.keep == "last" or score > self.progress.best_score:
                self.progress.best_score, self.progress.best_epoch = score, self.trainer.epoch
                if self.group.is_main:
                    self.model.save(self.run.best)
        return confusion

    def _evaluate(self) -> Generator[EvalProgress, None, Confusion]:
        self.trainer.broadcast_weights()
        confusion = Confusion(len(self.model.classes))
        samples = math.ceil(len(self.val) / self.group.size)
        for number, part in enumerate(confusions(self.model, self.val, self.group), 1):
            confusion += part
            yield EvalProgress(number, samples)
        return sum_confusions(confusion, self.model, self.group)

    def _row(self, confusion: Confusion, seconds: float) -> dict[str, float]:
        """Return the epoch's row of results.csv."""
        trainer = self.trainer
        return {
            "epoch": trainer.epoch,
            "step": trainer.done,
            "loss": self.progress.mean_loss,
            "lr": trainer.learning_rate(trainer.done - 1),
            **confusion.paper_metrics(),
            "seconds": round(seconds, 1),
            **self.logger.speed(trainer.batch, trainer.device),
        }
