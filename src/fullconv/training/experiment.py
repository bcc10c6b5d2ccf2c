"""A whole run: train, evaluate after each round, keep the best model, write the report."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from fullconv._version import __version__
from fullconv.config import NONE, Part, RunConfig
from fullconv.data.discovery.resplit import write_splits
from fullconv.data.sample import with_named_inputs
from fullconv.evaluation.evaluate import Progress
from fullconv.evaluation.evaluation import HeadEvaluations
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.summary import nan_to_lowest
from fullconv.inference.model_file import read_card
from fullconv.io.atomic import explained
from fullconv.model import Model
from fullconv.training.checkpoint import (
    choose_checkpoint,
    describe_as,
    remove_previous,
    stored_card,
)
from fullconv.training.conclusion import conclude
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.events import Activity, EvalProgress, Note, Round
from fullconv.training.fingerprint import check_unchanged, fingerprint
from fullconv.training.initial_model import start_model
from fullconv.training.monitor import TrainingMonitor
from fullconv.training.plan import spread
from fullconv.training.planning import (
    check_plan,
    plan_further,
    plan_minutes,
    shared_plan,
    stored_plan,
)
from fullconv.training.preflight import Preflight, measure, preflight
from fullconv.training.progress import RunProgress
from fullconv.training.resolve_network import frozen_at_random
from fullconv.training.resolve_run import resolve_run
from fullconv.training.run.folder import Run
from fullconv.training.run.logger import RunLogger
from fullconv.training.run.trackers import Tracking
from fullconv.training.time_left import TimeLeft
from fullconv.training.trainer import Step, Trainer
from fullconv.training.validation import evaluate_in_parts, no_confusions, open_splits
from fullconv.units import count

SAVE_SECONDS = 300.0  # between checkpoints within a round: a kill loses at most this much work
PREFLIGHT_STEPS = 50  # steps from which a training is worth a dry run
PARTIAL_SECONDS = 3.0  # for evaluating a model for the report of a stopped run


class Experiment:
    """One run: its data, its training and, once `attach` was called, its folder.

    Args:
        config: all settings; open ones are decided from the data.
        initial: a model file to start from, instead of the settings' weights.
        group: the processes that train together; the main one writes the files.
        run: the folder that will be attached. If it holds a checkpoint, no file of initial weights
            is read, which may be gone by now.

    Attributes:
        initial: the model file that was given to start from.
        run: its folder.
        whole: the run that it is a stage of; the run itself, if there is one stage.
        further: "minutes", "epochs" or "steps" and how many more of them to train after the
            checkpoint; None trains to the end that is planned.
    """

    run: Run
    whole: Run
    logger: RunLogger
    monitor: TrainingMonitor
    time_left: TimeLeft | None = None
    checkpoint_note = ""
    data_digest = ""

    def __init__(
        self,
        config: RunConfig,
        initial: Path | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        run: Run | None = None,
    ) -> None:
        self.began = time.monotonic()
        self.group = group
        self.tracking = Tracking(config.track)
        self.train, self.val, self.split_note = open_splits(config.data, config.train_on)
        if config.inputs:
            is_train = self.val is self.train
            self.train = with_named_inputs(self.train, config.inputs)
            self.val = self.train if is_train else self.val.with_inputs(self.train.inputs)
        stored = stored_card(run.last) if run else None
        resolved = resolve_run(config, self.train, find_weights=not (stored or initial))
        self.config, self.scale, self.decisions = (
            resolved.config,
            resolved.scale,
            resolved.decisions,
        )
        if initial is None:
            self.decisions += frozen_at_random(self.config)
        self.initial = initial
        changes = {"weights": NONE if stored else str(initial)} if stored or initial else {}
        model, self.weights_report = start_model(self.config.model_copy(update=changes), self.train)
        if stored:
            describe_as(model.network, stored)
        self.trainer = Trainer(model, self.train, self.config, group)
        chosen = self.trainer.config
        decided = {
            "parallel_parts": chosen.parallel_parts,
            "teacher_fingerprint": chosen.teacher_fingerprint,
        }
        self.config = self.config.model_copy(update=decided)
        self.progress = RunProgress()
        self.preflight: Preflight | None = None
        self.further: tuple[str, float] | None = None

    @property
    def model(self) -> Model:
        """The model in training."""
        return self.trainer.model

    @property
    def is_stage(self) -> bool:
        """Whether another stage of the run continues from this one."""
        return self.whole.folder != self.run.folder

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
        self.run, self.whole = run, whole or run
        if self.group.is_main:
            with explained(run.folder):
                run.folder.mkdir(parents=True, exist_ok=True)
                run.hold()
                run.clean()
        checkpoint = self._choose_checkpoint()
        self._use_plan(stored_plan(run) if self.group.is_main else ())
        if checkpoint:
            notes = self.trainer.restore(checkpoint)
            check_plan(self.trainer.plan, notes, run.config)
            self.progress = RunProgress.from_notes(notes)
        elif self.group.is_main:
            run.write_config(self.config.model_dump(mode="json"))
            if self.val is not self.train and self.config.train_on == "train":
                write_splits(run.folder / "splits", {"train": self.train, "val": self.val})
        self.logger = RunLogger(
            run, self.train.score_names, self.tracking, self.trainer.done, self.group.is_main
        )
        if self.group.is_main and self.trainer.done:
            logged = self.trainer.done - bool(self.progress.loss_count)
            plan = self.trainer.plan
            self.logger.check_complete(plan.last_round(logged), plan.last_round(logged, True))

    def _use_plan(self, parts: tuple[Part, ...]) -> None:
        """Use the main process's plan, if it has one."""
        if parts := shared_plan(parts, self.group):
            self.config = self.config.model_copy(update={"plan": parts})
            self.trainer.use_plan(parts)

    def _choose_checkpoint(self) -> Path | None:
        """Return the checkpoint to resume from, once the data proved to be the run's."""
        name = ""
        if self.group.is_main:
            path, self.checkpoint_note = choose_checkpoint(self.run.last)
            stored = read_card(path).training.get("data") if path else None
            data = fingerprint(self.train, self.val)
            check_unchanged(self.whole.data, data, stored, self.config.data)
            self.data_digest = data.digest
            name = path.name if path else ""
        name = self.group.broadcast_text(name)
        return self.run.folder / name if name else None

    def prepare(self) -> Generator[Activity, None, None]:
        """Make a dry run if the training is new, and plan what is not planned yet.

        The plan is stored in config.yaml before the first step, so that a training that is killed
        and resumed has the same.
        """
        trainer = self.trainer
        for left in trainer.teacher.prepare() if trainer.teacher else ():
            yield Activity(f"asking the teacher: {count(left, 'photo')} left")
        is_open = not trainer.steps
        long_enough = is_open or trainer.steps >= PREFLIGHT_STEPS
        if not trainer.done and long_enough and (self.config.preflight or is_open):
            self.preflight = yield from preflight(trainer, self.val)
        timing = self.preflight.timing if self.preflight else None
        parts: tuple[Part, ...] = ()
        if self.further:
            yield Activity("timing a step")
            timing = measure(trainer, self.val)
            parts = plan_further(trainer.plan, trainer.done, self.further, timing, len(self.val))
        elif is_open and timing:
            spent = time.monotonic() - self.began
            parts = plan_minutes(self.config, timing, len(self.val), spent)
        if parts:
            self._use_plan(parts)
            if self.group.is_main:
                self.run.write_config(self.config.model_dump(mode="json"))
                self.run.reopen()
        self.time_left = TimeLeft(trainer.plan, timing, len(self.val), trainer.done)
        self.monitor = TrainingMonitor(self.train.score_names, self.config, trainer.steps)
        if self.logger.rows:
            rows = self.logger.class_rows
            predicted = {label for row in rows for label, iou in enumerate(row.iou) if iou > 0}
            self.monitor.resume(self.logger.rows[0].get("loss", math.nan), predicted)

    @property
    def keeps(self) -> str:
        """Which model it keeps, "best" or "last", once it is planned."""
        return self.trainer.plan.kept(len(self.val))

    @property
    def plan_warnings(self) -> tuple[str, ...]:
        """What the dry run and the plan tell a user before the first step."""
        dry_run = self.preflight.warnings if self.preflight else ()
        return (*dry_run, *self.trainer.plan.warnings)

    def events(self) -> Generator[Step | EvalProgress | Round | Note, None, None]:
        """Train to the end, yielding every step, evaluation progress, finished round and warning.

        To stop early, close this generator before `save`: during an evaluation the network holds
        other weights (EMA, adjusted logits).
        """
        if self.time_left is None:
            for _ in self.prepare():
                pass
        yield from self._start_log()
        trainer, progress = self.trainer, self.progress
        began = saved = time.monotonic()
        if progress.loss_count and trainer.plan.ends_round(trainer.done):
            yield from self._end_round(began)  # it was stopped during the evaluation
            began = saved = time.monotonic()
        for step in trainer.run():
            progress.add_loss(step.loss)
            self.logger.step(step.seconds)
            yield step
            yield from self._log_notes(self.monitor.step(step.number, step.loss))
            yield from self._watch_time(step)
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
            if trainer.plan.ends_round(step.number):
                yield from self._end_round(began)
                began = saved = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint that `--resume` uses."""
        if self.group.is_main:
            facts = {"seed": self.config.seed, "data": self.data_digest}
            notes = self.progress.notes() | facts | {"steps": self.trainer.steps}
            self.trainer.save(self.run.last, **notes)

    def finish(self, progress: Progress | None = None) -> HeadEvaluations:
        """Evaluate the kept model and write the report and the summary, which ends the run.

        `progress` is that of `evaluate`.
        """
        evaluation = self._conclude(self.trainer.plan.final_images(len(self.val)), progress)
        result = evaluation.to_dict() | {"best_epoch": self.progress.best_epoch}
        self.logger.end("finish", self.trainer.done, **result)
        remove_previous(self.run.last)  # nothing will be resumed
        self.run.write_summary(result)
        return evaluation

    def report_so_far(self, progress: Progress | None = None) -> HeadEvaluations | None:
        """Write a report of the best model so far, from a few seconds of evaluation.

        Returns:
            Its evaluation; None if no model has been evaluated yet.
        """
        if not self.progress.best_epoch or not self.run.best.is_file():
            return None
        image = self.time_left.image_seconds if self.time_left else 0.0
        affordable = int(PARTIAL_SECONDS / image) if image else 1
        return self._conclude(spread(len(self.val), max(1, affordable)), progress)

    def _conclude(self, chosen: Sequence[int], progress: Progress | None) -> HeadEvaluations:
        """Evaluate the kept model on some of the samples, and write the report."""
        some = f"; on {len(chosen)} of {len(self.val)} photos, evenly spaced"
        notes = (some if len(chosen) < len(self.val) else "", self.split_note)
        val, best = self.val.take(chosen), self.progress.best_epoch
        return conclude(self.config, self.trainer, val, self.logger, best, notes, progress)

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
        data = (*self.train.warnings, *self.val.warnings)
        for warning in dict.fromkeys((*data, *loaded, *self.plan_warnings)):
            self.logger.note(0, warning)  # printed already

    def _log_notes(self, texts: Sequence[str]) -> Iterator[Note]:
        for text in texts:
            self.logger.note(self.trainer.done, text)
            yield Note(self.trainer.done, text)

    def _watch_time(self, step: Step) -> Iterator[Note]:
        if self.time_left:
            self.time_left.add_step(step.number, step.seconds)
            late = self.time_left.lateness()
            yield from self._log_notes([late] if late else [])

    def _end_round(self, began: float) -> Iterator[EvalProgress | Round | Note]:
        """Evaluate if it is due, log the round and save a checkpoint."""
        trainer = self.trainer
        trainer.check_weights()
        done, epoch = trainer.done, trainer.epoch
        metrics = (yield from self._validate()) if trainer.plan.evaluates(done) else None
        seconds = time.monotonic() - began
        row = self._row(metrics or no_confusions(self.train), seconds)
        self.progress.end_round()
        tracker_notes = self.logger.epoch(row, metrics)  # before the checkpoint, see RunLogger
        self.save()
        yield from (Note(done, text) for text in tracker_notes)
        yield Round(
            epoch=epoch,
            row=row,
            best=(self.progress.best_score, self.progress.best_epoch),
            is_best=self.progress.best_step == done,
            seconds=seconds,
            metrics=metrics,
        )
        if metrics:
            yield from self._log_notes(self.monitor.epoch(done, metrics, self.model.network))

    def _validate(self) -> Generator[EvalProgress, None, HeadMetrics[Confusion]]:
        """Evaluate with the weights of the final model, and save it if it is the best so far."""
        trainer = self.trainer
        began = time.monotonic()
        data = self.val.take(trainer.plan.images(len(self.val)))
        with trainer.inference_weights():
            trainer.broadcast_weights()
            metrics = yield from evaluate_in_parts(self.model, data, self.group)
            score = nan_to_lowest(metrics.mean_iou)
            if self.keeps == "last" or score > self.progress.best_score:
                self.progress.keep(score, trainer.epoch, trainer.done)
                if self.group.is_main:
                    self.model.save(self.run.best)
        if self.time_left:
            self.time_left.add_evaluation(time.monotonic() - began)
        return metrics

    def _row(self, metrics: HeadMetrics[Confusion], seconds: float) -> dict[str, float]:
        """Return the epoch's row of results.csv."""
        trainer = self.trainer
        return {
            "epoch": trainer.epoch,
            "step": trainer.done,
            "loss": self.progress.mean_loss,
            "lr": trainer.learning_rate(trainer.done - 1),
            **metrics.paper_metrics(),
            "seconds": round(seconds, 1),
            **self.logger.speed(trainer.batch, trainer.device),
        }
