"""What `fullconv train` prints: the setup, the plan, every round, warnings and the result."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._console import (
    format_class_table,
    say,
    say_head,
    say_lines,
    say_metrics,
    say_path,
    say_wrapped,
)
from fullconv.cli._train_line import format_left
from fullconv.io.commands import pasted
from fullconv.units import count, format_bytes, format_clock, format_duration

if TYPE_CHECKING:
    from fullconv.evaluation.evaluation import HeadEvaluations
    from fullconv.training.events import EvalProgress, Note, Round
    from fullconv.training.experiment import Experiment
    from fullconv.training.plan import TrainingPlan
    from fullconv.training.preflight import Preflight
    from fullconv.training.trainer import Step, Trainer


LONG_SECONDS = 1800  # a longer training gets a hint how to shorten it
LONG_LEFT = 300  # with more left, a stopped run gets a hint how to end it earlier
MIN_SIDE = 96  # pixels: crops that the hint suggests are not smaller


def say_setup(experiment: "Experiment") -> None:
    """Print the model, the data and the run folder."""
    from fullconv.training.report import describe_classes

    config, trainer = experiment.config, experiment.trainer
    parameters = sum(p.numel() for p in experiment.model.network.parameters())
    say_wrapped(
        f"model  {config.model} ({parameters / 1e6:.1f} M parameters), "
        f"{describe_classes(experiment.model)}"
    )
    say_wrapped(
        f"data   {count(len(experiment.train), 'training image')}, "
        f"{len(experiment.val)} to evaluate; batch size {trainer.batch} on {trainer.device}"
    )
    if experiment.model.heads:
        say("note   mean IoU is that of the heads, averaged; results.csv has each head's")
    if experiment.split_note:
        say_wrapped(f"note   {experiment.split_note.strip('; ')}")
    if config.size:
        height, width = config.size
        say_wrapped(f"note   images are downscaled to fit {height} x {width} (change with --size)")
    if experiment.train.band_choice:
        say_wrapped(f"note   values of photos: {experiment.train.band_choice}")
    if not config.size or experiment.scale.factor != 1:
        crop = (
            f"; crops of {config.crop_size[0]} x {config.crop_size[1]}" if config.crop_size else ""
        )
        say_wrapped(f"note   {experiment.scale}{crop}")
    for decision in experiment.decisions if not trainer.done else ():
        say_wrapped(f"note   {decision}")
    resumed = f", resumed from step {trainer.done}" if trainer.done else ""
    say(f"run    {experiment.run.folder}{resumed}   (all settings: config.yaml)")


def say_left_out(experiment: "Experiment") -> None:
    """Print what the data set leaves out, as `fullconv check` does."""
    for warning in dict.fromkeys((*experiment.train.warnings, *experiment.val.warnings)):
        say(f"warning: {warning}")


def say_weights(experiment: "Experiment", quiet: bool) -> None:
    """Print what was taken from the file of initial weights, and what is probably not meant."""
    from fullconv.weights.imagenet import IMAGENET

    report = experiment.weights_report
    if report is None or experiment.trainer.done:
        return
    imagenet = experiment.config.weights == IMAGENET and not experiment.initial
    if not quiet and not imagenet:  # which is said among the decisions
        say_wrapped(f"weights  {report.summary()}")
        for note in report.notes:
            say_wrapped(f"note   {note}")
    for warning in report.warnings:
        say_wrapped(f"warning: {warning}")


def say_plan(experiment: "Experiment", quiet: bool) -> None:
    """Print the warnings of the dry run, the steps and evaluations, and their duration."""
    from fullconv.training.plan import shown_duration

    result = experiment.preflight
    for warning in experiment.plan_warnings:
        say_wrapped(f"warning: {warning}")
    if quiet:
        return
    trainer, plan = experiment.trainer, experiment.trainer.plan
    last = plan.parts[-1]
    name, _, value = shown_duration(last.asked).partition("=")
    timed = name == "minutes"
    if experiment.further:
        lr = plan.learning_rate(trainer.done)
        decays = "stays" if plan.config.schedule == "constant" else "decays to 0"
        within = f" in {value} minutes" if timed else ""
        say_wrapped(
            f"plan   {count(plan.steps - trainer.done, 'more step')}{within}; "
            f"the learning rate starts at {lr:.1e} and {decays}"
        )
    elif timed:
        seconds = last.step_seconds or 0.0
        own = f"{experiment.config.own_minutes or float(value):g}"  # of the last of several stages
        duration = "1 minute" if own == "1" else f"{own} minutes"
        say_wrapped(
            f"plan   {count(plan.steps, 'step')} in {duration}, {format_duration(seconds)} each"
            f"{_memory(result)}"
        )
    else:
        say_wrapped(f"plan   {count(plan.steps, 'step')} ({count(plan.epochs, 'epoch', 'epochs')})")
    if timed:
        say_wrapped(f"       {_evaluations(plan, len(experiment.val), trainer.done)}")
        if experiment.keeps != experiment.config.keep:
            say_wrapped(
                "keep   the last model, since the best one on so few photos is so partly by chance"
            )
        _say_few(plan, trainer.done, float(value))
    elif result:
        _say_dry_run(experiment, result)


def _evaluations(plan: "TrainingPlan", samples: int, done: int) -> str:
    images, final = len(plan.images(samples)), len(plan.final_images(samples))
    some = f"{images} of {samples} photos" if images < samples else count(samples, "photo")
    last = "all" if final == samples else f"{final:,}"
    total = count(plan.evaluations_after(done), "evaluation")
    if final == images == samples:
        return f"{total} on {some} (a tenth of the time at most)"
    return f"{total} on {some}, the final one on {last} (a tenth of the time at most)"


def _say_few(plan: "TrainingPlan", done: int, minutes: float) -> None:
    """Print how to train longer, if the time is short for a network to be trained to its end."""
    from fullconv.training.budget import ENOUGH_STEPS

    if plan.steps < ENOUGH_STEPS:
        wanted = math.ceil(minutes * ENOUGH_STEPS / max(1, plan.steps - done))
        say_wrapped(
            f"note   {ENOUGH_STEPS:,} steps or more usually give a better model: --minutes "
            f"{wanted}, or a smaller --crop"
        )


def _say_dry_run(experiment: "Experiment", result: "Preflight") -> None:
    total = seconds_left(experiment)
    height, width = experiment.config.crop_size or (0, 0)
    hint = ""
    fits = experiment.config.size or experiment.config.crop == "whole"  # or a step is one of crops
    if fits and total > LONG_SECONDS and min(height, width) >= 2 * MIN_SIDE:
        quarter = format_duration(total / 4, to_minutes=True)
        hint = f" ({quarter} with --size {height // 2}x{width // 2})"
    say_wrapped(
        f"dry run: {format_duration(result.timing.step)}/step{_memory(result)} -> about "
        f"{format_duration(total, to_minutes=True)} of training on this "
        f"{experiment.trainer.device.type}{hint}"
    )


def _memory(result: "Preflight | None") -> str:
    if result is None or math.isnan(result.memory):
        return ""
    return f", {format_bytes(result.memory)} memory"


def progress_text(
    trainer: "Trainer", step: "Step | None", evaluation: "EvalProgress | None"
) -> str:
    """Return what the progress line shows of a training."""
    text = f"epoch {trainer.epoch}  step {trainer.done:,}/{trainer.steps:,}"
    if evaluation:
        return f"{text}  evaluating {evaluation.done}/{evaluation.samples}"
    return f"{text}  loss {step.loss:.3f}" if step else text


def seconds_left(experiment: "Experiment") -> float:
    """Return the estimated seconds to the end of the training, evaluations included."""
    return experiment.time_left.seconds() if experiment.time_left else 0.0


def say_note(note: "Note") -> None:
    """Print a warning about the training."""
    say_wrapped(f"warning: step {note.step}: {note.text}")


def say_round(finished: "Round", experiment: "Experiment", elapsed: float) -> None:
    """Print the line of an epoch, or of the steps between two evaluations."""
    row, plan = finished.row, experiment.trainer.plan
    best, best_epoch = finished.best
    planned = plan.parts[-1].evaluate_steps is not None
    where = (
        f"step {int(row['step']):{len(f'{plan.steps:,}')},}/{plan.steps:,}"
        if planned
        else f"epoch {finished.epoch:{len(str(plan.epochs))}}/{plan.epochs}"
    )
    metrics = ""
    if not math.isnan(row["mean_iou"]):
        at = "" if planned else f" @{best_epoch}"
        mark = "best" if finished.is_best else f"(best {100 * best:.1f}{at})"
        mark = "kept" if experiment.keeps == "last" else mark
        metrics = f"  mean IoU {100 * row['mean_iou']:.1f} {mark}"
    left = "" if experiment.trainer.done == plan.steps else format_left(seconds_left(experiment))
    text = f"{where}  loss {row['loss']:.3f}{metrics}"
    say(f"{text:55}  {format_clock(elapsed)}{f', {left}' if left else ''}")


def say_stopped(experiment: "Experiment") -> None:
    """Print where the training was stopped."""
    trainer = experiment.trainer
    say(f"Stopped after step {trainer.done} of {trainer.steps}; the checkpoint is saved.")


def say_usable(experiment: "Experiment", evaluation: "HeadEvaluations | None") -> None:
    """Print what a stopped run leaves that can be used, and how to resume it.

    Args:
        experiment: of the run.
        evaluation: that of its report; None if no report was written.
    """
    folder, progress = experiment.run.folder, experiment.progress
    if progress.best_epoch and experiment.run.best.is_file():
        so_far = " so far" if experiment.keeps == "best" else ""
        score = f"mean IoU {100 * progress.best_score:.1f}{so_far}"
        say(f"{experiment.keeps}    step {progress.best_step:,}, {score}")
        say(f"usable  {_predict(folder)}")
    else:
        say("usable  no model yet: none has been evaluated")
    if evaluation:
        photos = count(len(evaluation.first.image_iou), "photo")
        say_path(folder / "report.html", "report  ", f"   (so far, on {photos})")
    left = seconds_left(experiment)
    resume = pasted("fullconv", "train", "--resume", experiment.whole.folder)
    of_stage = " of this stage" if experiment.is_stage else ""
    say(f"resume  {resume}   ({format_left(left)}{of_stage})")
    if left > LONG_LEFT and not experiment.is_stage:  # only the last stage gets another duration
        say(f"faster  {resume} --minutes {max(1, round(left / 180))}")


def say_unreported(experiment: "Experiment") -> None:
    """Print that only the final evaluation and the report are missing."""
    what = "this stage" if experiment.is_stage else "the training"
    say(f"Stopped; {what} is done, only the final evaluation and the report are missing.")
    say(f"usable  {_predict(experiment.run.folder)}")
    say(f"resume  {pasted('fullconv', 'train', '--resume', experiment.whole.folder)}")


def say_finished(experiment: "Experiment", evaluation: "HeadEvaluations", quiet: bool) -> None:
    """Print the metrics of the kept model, and what to do with the run."""
    if not quiet:
        for name, head in evaluation.heads.items():
            say_head(name)
            say_lines(format_class_table(head))
    progress, samples = experiment.progress, len(experiment.val)
    used = len(evaluation.first.image_iou)
    some = f", on {used} of {samples} photos" if used < samples else ""
    kept = experiment.keeps  # the best, or the last
    say(f"{kept} model: step {progress.best_step:,} (epoch {progress.best_epoch}){some}")
    say_metrics(evaluation)
    say_path(experiment.run.folder / "report.html", "report  ")
    if experiment.is_stage:
        return  # the next stage continues from here
    folder = experiment.run.folder
    say(f"next    {_predict(folder)}")
    say(f"longer  {pasted('fullconv', 'train', '--resume', folder, '--minutes', 10)}")


def _predict(folder: Path) -> str:
    """Return the command that predicts photos with the model of a run."""
    return pasted("fullconv", "predict", folder, "NEW_PHOTOS", "--out", "predictions")
