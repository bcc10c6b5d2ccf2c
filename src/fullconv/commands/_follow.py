"""A training as a terminal sees it: its beginning, every epoch, its end, and being stopped."""

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from fullconv.commands._show import clock, progress, say, table_of_classes
from fullconv.commands._stop import STOPPED, stoppable

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.evaluation import Evaluation
    from fullconv.experiment import Experiment
    from fullconv.news import Epoch
    from fullconv.run import Run
    from fullconv.team import Team

REQUEUE = 75  # exit code: stopped on request, to be started again with --resume
LONG = 1800  # seconds of training from which a shorter one is offered
SMALLEST = 96  # pixels: the side that a smaller window has at least


def follow_stages(
    config: "RunConfig",
    run: "Run",
    first: "Experiment | None",
    team: "Team",
    quiet: bool = False,
    seconds: float | None = None,
) -> "Evaluation | None":
    """Run every stage that is not finished yet, telling how it goes.

    Args:
        config: of the run.
        run: its folder.
        first: its first stage, where that was built already.
        team: the processes that train together; only the first of them tells.
        quiet: tell only what has to be known.
        seconds: after which it stops, as if it had been asked to; None is never.

    Returns:
        The last stage's numbers; None in all processes but the first.

    Raises:
        typer.Exit: it was asked to stop; everything is saved.
    """
    deadline = time.monotonic() + seconds if seconds else math.inf
    evaluation = None
    from fullconv.experiment import Experiment
    from fullconv.runplan import in_stages

    stages = list(in_stages(config, run.folder))
    for number, (folder, settings, begin) in enumerate(stages, 1):
        if folder.finished and folder.folder != run.folder:
            continue
        if len(stages) > 1 and team.leads:
            say(f"stage {number} of {len(stages)}: {settings.model}, rate {settings.lr:.2g}")
        experiment = first if first and number == 1 else Experiment(settings, begin, team)
        experiment.enter(folder)
        evaluation = follow(experiment, quiet, deadline)
    return evaluation


def follow(
    experiment: "Experiment", quiet: bool = False, deadline: float = math.inf
) -> "Evaluation | None":
    """Run an experiment to its end, or to a moment of time.monotonic(), telling how it goes."""
    from fullconv.news import Epoch, Measured, Note
    from fullconv.outcome import four_numbers
    from fullconv.training import Step

    training, team = experiment.training, experiment.team
    quiet = quiet or not team.leads
    _announce(experiment, quiet)
    _rehearse(experiment, quiet)
    code = 0
    with (
        stoppable() as stopped,
        progress(quiet) as bar,
        closing(experiment.events()) as events,
    ):
        task = bar.add_task("training", total=training.steps, completed=training.done)
        for event in events:
            if isinstance(event, Note):
                if team.leads:
                    say(f"watch out, step {event.step}: {event.text}")
                continue
            if isinstance(event, Epoch) and not quiet:
                say(_epoch_line(event))
            if isinstance(event, Step):
                bar.update(task, completed=event.number, description=f"loss {event.loss:.3f}")
            if isinstance(event, Measured):
                bar.update(task, description=f"evaluating {event.done} of {event.samples}")
            late = REQUEUE if time.monotonic() > deadline else 0
            code = team.largest(STOPPED[stopped[0]] if stopped else late, training.device)
            if code:
                break
        if code:
            events.close()  # in an evaluation the model has other weights than in training
            experiment.stop(f"exit code {code}")
            team.largest(0, training.device)  # whoever leaves sooner may take the first with it
    if code and team.leads:
        say(f"Stopped after step {training.done} of {training.steps}; everything is saved.")
        say(f"Go on with:  fullconv train --resume {experiment.run.folder}")
    if code:
        raise typer.Exit(code)
    if not team.leads:
        return None
    evaluation = experiment.finish()
    if not quiet:
        say(table_of_classes(evaluation))
    say(f"best epoch {experiment.best[1]}:  {four_numbers(evaluation)}")
    say(f"report  {experiment.run.folder / 'report.html'}")
    say(f"next    fullconv predict {experiment.run.folder} NEW_PHOTOS --out answers")
    return evaluation


def _announce(experiment: "Experiment", quiet: bool) -> None:
    if quiet:
        return
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


def _rehearse(experiment: "Experiment", quiet: bool) -> None:
    """Take the first steps on trial, and say how long the training will take and what is wrong."""
    found = experiment.rehearse()
    if found is None or not experiment.team.leads:
        return
    for warning in found.warnings:
        say(f"watch out: {warning}")
    if quiet:
        return
    total = found.seconds * experiment.training.steps
    height, width = experiment.config.window or (0, 0)
    shorter = (
        f"; --size {height // 2}x{width // 2} would take {clock(total / 4)}"
        if total > LONG and min(height, width) >= 2 * SMALLEST
        else ""
    )
    say(
        f"trial  {len(found.losses)} steps on one batch: loss {found.losses[0]:.3f} to "
        f"{found.losses[-1]:.3f}, {found.seconds:.2g} s a step, {found.memory / 2**30:.1f} GiB; "
        f"about {clock(total)} of training on this {experiment.training.device.type}{shorter}"
    )


def _epoch_line(epoch: "Epoch") -> str:
    row = epoch.row
    best, when = epoch.best
    measured = (
        ""
        if math.isnan(row["mean_iu"])
        else (
            f"pixel acc {100 * row['pixel_accuracy']:5.1f}  mean IU {100 * row['mean_iu']:5.1f} "
            f"{'best' if when == epoch.number else f'(best {100 * best:.1f} @{when})'}  "
        )
    )
    return (
        f"epoch {epoch.number:3d}/{epoch.epochs}  loss {row['loss']:.3f}  {measured}"
        f"lr {row['lr']:.1e}  {clock(epoch.seconds)}  left {clock(epoch.left)}"
    )
