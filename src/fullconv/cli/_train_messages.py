"""What `fullconv train` prints: the setup, the dry run, every epoch, warnings and the result."""

import math
from typing import TYPE_CHECKING

from fullconv.cli._console import format_class_table, say, say_lines
from fullconv.units import count, format_bytes, format_duration

if TYPE_CHECKING:
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.training.events import Epoch, Note
    from fullconv.training.experiment import Experiment
    from fullconv.training.preflight import Preflight


LONG_SECONDS = 1800  # a longer training gets a hint how to shorten it
MIN_SIDE = 96  # pixels: crops that the hint suggests are not smaller


def say_setup(experiment: "Experiment") -> None:
    """Print the model, the data and the run folder."""
    config, trainer = experiment.config, experiment.trainer
    parameters = sum(p.numel() for p in experiment.model.network.parameters())
    say(
        f"model  {config.model} ({parameters / 1e6:.1f} M parameters), "
        f"{count(len(experiment.model.classes), 'class')}"
    )
    say(
        f"data   {count(len(experiment.train), 'training image')}, "
        f"{len(experiment.val)} to evaluate; "
        f"{count(trainer.steps, 'step')} with batch size {trainer.batch} on {trainer.device}"
    )
    if experiment.split_note:
        say(f"note   {experiment.split_note.strip('; ')}")
    if config.size:
        height, width = config.size
        say(f"note   images are downscaled to fit {height} x {width} (change with --size)")
    if not config.size or experiment.scale.factor != 1:
        crop = (
            f"; crops of {config.crop_size[0]} x {config.crop_size[1]}" if config.crop_size else ""
        )
        say(f"note   {experiment.scale}{crop}")
    for decision in experiment.decisions if not trainer.done else ():
        say(f"note   {decision}")
    resumed = f", resumed from step {trainer.done}" if trainer.done else ""
    say(f"run    {experiment.run.folder}{resumed}   (all settings: config.yaml)")


def say_left_out(experiment: "Experiment") -> None:
    """Print what the data set leaves out, as `fullconv check` does."""
    for warning in dict.fromkeys((*experiment.train.warnings, *experiment.val.warnings)):
        say(f"warning: {warning}")


def say_weights(experiment: "Experiment", quiet: bool) -> None:
    """Print what was taken from the file of initial weights, and what is probably not meant."""
    report = experiment.weights_report
    if report is None or experiment.trainer.done:
        return
    if not quiet:
        say(f"weights  {report.summary()}")
        for note in report.notes:
            say(f"note   {note}")
    for warning in report.warnings:
        say(f"warning: {warning}")


def say_preflight(experiment: "Experiment", result: "Preflight", quiet: bool) -> None:
    """Print the warnings of the dry run, its time and memory, and the expected duration."""
    for warning in result.warnings:
        say(f"warning: {warning}")
    if quiet:
        return
    total = result.seconds * experiment.trainer.steps
    height, width = experiment.config.crop_size or (0, 0)
    hint = ""
    fits = experiment.config.size or experiment.config.crop == "whole"  # or a step is one of crops
    if fits and total > LONG_SECONDS and min(height, width) >= 2 * MIN_SIDE:
        quarter = format_duration(total / 4, to_minutes=True)
        hint = f" ({quarter} with --size {height // 2}x{width // 2})"
    memory = "" if math.isnan(result.memory) else f", {format_bytes(result.memory)} memory"
    say(
        f"dry run: {format_duration(result.seconds)}/step{memory} -> about "
        f"{format_duration(total, to_minutes=True)} of training on this "
        f"{experiment.trainer.device.type}{hint}"
    )


def say_note(note: "Note") -> None:
    """Print a warning about the training."""
    say(f"warning: step {note.step}: {note.text}")


def say_epoch(epoch: "Epoch") -> None:
    """Print an epoch's line."""
    row = epoch.row
    best, best_epoch = epoch.best
    metrics = ""
    if not math.isnan(row["mean_iou"]):
        is_best = best_epoch == epoch.number
        metrics = (
            f"pixel acc {100 * row['pixel_accuracy']:5.1f}  mean IoU {100 * row['mean_iou']:5.1f} "
            f"{'best' if is_best else f'(best {100 * best:.1f} @{best_epoch})'}  "
        )
    left = f", {format_duration(epoch.left, to_minutes=True)} left" if epoch.left else ""
    say(
        f"epoch {epoch.number:3d}/{epoch.epochs}  loss {row['loss']:.3f}  {metrics}"
        f"lr {row['lr']:.1e}  {format_duration(epoch.seconds)}/epoch{left}"
    )


def say_stopped(experiment: "Experiment") -> None:
    """Print where the training was stopped, and how to resume it."""
    trainer = experiment.trainer
    say(f"Stopped after step {trainer.done} of {trainer.steps}; the checkpoint is saved.")
    say(f"Resume with:  fullconv train --resume {experiment.run.folder}")


def say_finished(experiment: "Experiment", evaluation: "Evaluation", quiet: bool) -> None:
    """Print the metrics of the kept model, and what to do with the run."""
    from fullconv.evaluation.summary import format_metrics

    if not quiet:
        say_lines(format_class_table(evaluation))
    say(f"best epoch {experiment.progress.best_epoch}:  {format_metrics(evaluation)}")
    say(f"report  {experiment.run.folder / 'report.html'}")
    say(f"next    fullconv predict {experiment.run.folder} NEW_PHOTOS --out predictions")
