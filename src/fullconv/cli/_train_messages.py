"""A training in words: its beginning, its trial, every epoch, its end, and being stopped."""

import math
from typing import TYPE_CHECKING

from fullconv.cli._console import format_class_table, say
from fullconv.units import format_duration

if TYPE_CHECKING:
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.training.events import Epoch, Note
    from fullconv.training.experiment import Experiment
    from fullconv.training.preflight import Preflight


LONG = 1800  # seconds of training from which a shorter one is offered
SMALLEST = 96  # pixels: the side that a smaller window has at least


def beginning(experiment: "Experiment") -> None:
    """What is trained, on what, and where the run lies."""
    config, training = experiment.config, experiment.training
    parameters = sum(p.numel() for p in experiment.model.network.parameters())
    train, val = len(experiment.train), len(experiment.val)
    say(
        f"model {config.model} ({parameters / 1e6:.1f} M parameters), {train} photos to train and "
        f"{val} to evaluate, {len(experiment.model.classes)} classes, "
        f"{training.steps} steps of {training.batch}, on {training.device}"
    )
    if experiment.split_note:
        say(f"note {experiment.split_note.strip('; ')}")
    if config.size:
        say(f"note photos are fitted into {config.size[0]} x {config.size[1]} (--size changes it)")
    going_on = f" from step {training.done}" if training.done else ""
    say(f"run  {experiment.run.folder}{going_on}   (all settings: config.yaml)")


def trial(experiment: "Experiment", found: "Preflight", quiet: bool) -> None:
    """How long the training will take, and what is wrong, as the first steps showed."""
    for warning in found.warnings:
        say(f"watch out: {warning}")
    if quiet:
        return
    total = found.seconds * experiment.training.steps
    height, width = experiment.config.window or (0, 0)
    shorter = (
        f"; --size {height // 2}x{width // 2} would take {format_duration(total / 4)}"
        if total > LONG and min(height, width) >= 2 * SMALLEST
        else ""
    )
    say(
        f"trial  {len(found.losses)} steps on one batch: loss {found.losses[0]:.3f} to "
        f"{found.losses[-1]:.3f}, {found.seconds:.2g} s a step, {found.memory / 2**30:.1f} GiB; "
        f"about {format_duration(total)} of training on this "
        f"{experiment.training.device.type}{shorter}"
    )


def note(seen: "Note") -> None:
    """What the flight recorder has seen."""
    say(f"watch out, step {seen.step}: {seen.text}")


def epoch(brought: "Epoch") -> None:
    """An epoch's line."""
    row = brought.row
    best, when = brought.best
    measured = (
        ""
        if math.isnan(row["mean_iu"])
        else (
            f"pixel acc {100 * row['pixel_accuracy']:5.1f}  mean IU {100 * row['mean_iu']:5.1f} "
            f"{'best' if when == brought.number else f'(best {100 * best:.1f} @{when})'}  "
        )
    )
    say(
        f"epoch {brought.number:3d}/{brought.epochs}  loss {row['loss']:.3f}  {measured}"
        f"lr {row['lr']:.1e}  {format_duration(brought.seconds)}  "
        f"left {format_duration(brought.left)}"
    )


def stopped(experiment: "Experiment") -> None:
    """Where it was stopped, and how to go on."""
    training = experiment.training
    say(f"Stopped after step {training.done} of {training.steps}; everything is saved.")
    say(f"Go on with:  fullconv train --resume {experiment.run.folder}")


def finished(experiment: "Experiment", evaluation: "Evaluation", quiet: bool) -> None:
    """The best epoch's numbers, and what to do with the run."""
    from fullconv.evaluation.summary import four_numbers

    if not quiet:
        say(format_class_table(evaluation))
    say(f"best epoch {experiment.best[1]}:  {four_numbers(evaluation)}")
    say(f"report  {experiment.run.folder / 'report.html'}")
    say(f"next    fullconv predict {experiment.run.folder} NEW_PHOTOS --out answers")
