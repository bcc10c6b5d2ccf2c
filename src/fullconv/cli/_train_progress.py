"""A training followed to its end, stage by stage, or to where it is asked to stop."""

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from fullconv.cli import _train_messages as narrate
from fullconv.cli._console import progress_bar, say
from fullconv.cli._signals import STOPPED, stoppable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from fullconv.config import RunConfig
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.training.distributed import ProcessGroup
    from fullconv.training.events import Epoch, EvalProgress
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import Run
    from fullconv.training.trainer import Step


REQUEUE = 75  # exit code: stopped on request, to be started again with --resume


def follow_stages(
    config: "RunConfig",
    run: "Run",
    first: "Experiment | None",
    team: "ProcessGroup",
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
    from fullconv.training.experiment import Experiment
    from fullconv.training.stages import in_stages

    deadline = time.monotonic() + seconds if seconds else math.inf
    evaluation = None
    stages = list(in_stages(config, run.folder))
    for number, (folder, settings, begin) in enumerate(stages, 1):
        if folder.finished and folder.folder != run.folder:
            continue
        if len(stages) > 1 and team.is_main:
            say(f"stage {number} of {len(stages)}: {settings.model}, rate {settings.lr:.2g}")
        experiment = first if first and number == 1 else Experiment(settings, begin, team)
        experiment.enter(folder)
        evaluation = follow(experiment, quiet, deadline)
    return evaluation


def follow(
    experiment: "Experiment", quiet: bool = False, deadline: float = math.inf
) -> "Evaluation | None":
    """Run an experiment to its end, or to a moment of time.monotonic(), telling how it goes."""
    quiet = quiet or not experiment.team.is_main
    if not quiet:
        narrate.beginning(experiment)
    _rehearse(experiment, quiet)
    code = _watched(experiment, quiet, deadline)
    if code:
        if experiment.team.is_main:
            narrate.stopped(experiment)
        raise typer.Exit(code)
    if not experiment.team.is_main:
        return None
    evaluation = experiment.finish()
    narrate.finished(experiment, evaluation, quiet)
    return evaluation


def _watched(experiment: "Experiment", quiet: bool, deadline: float) -> int:
    """Let it run, telling what happens; gives the code of what asked it to stop, 0 for nothing."""
    from fullconv.training.events import Note

    training, team = experiment.training, experiment.team
    code = 0
    with (
        stoppable() as stopped,
        progress_bar(quiet) as bar,
        closing(experiment.events()) as events,
    ):
        task = bar.add_task("training", total=training.steps, completed=training.done)
        for event in events:
            if isinstance(event, Note):  # some only the first process has, so nobody waits here
                if team.is_main:
                    narrate.note(event)
                continue
            _show(event, bar, task, quiet)
            late = REQUEUE if time.monotonic() > deadline else 0
            code = team.all_reduce_max(STOPPED[stopped[0]] if stopped else late, training.device)
            if code:
                break
        if code:
            events.close()  # in an evaluation the model has other weights than in training
            experiment.stop(f"exit code {code}")
            team.all_reduce_max(
                0, training.device
            )  # whoever leaves sooner may take the first with it
    return code


def _show(
    event: "Step | EvalProgress | Epoch", bar: "Progress", task: "TaskID", quiet: bool
) -> None:
    from fullconv.training.events import Epoch, EvalProgress
    from fullconv.training.trainer import Step

    if isinstance(event, Epoch) and not quiet:
        narrate.epoch(event)
    if isinstance(event, Step):
        bar.update(task, completed=event.number, description=f"loss {event.loss:.3f}")
    if isinstance(event, EvalProgress):
        bar.update(task, description=f"evaluating {event.done} of {event.samples}")


def _rehearse(experiment: "Experiment", quiet: bool) -> None:
    """Take the first steps on trial, where that is worth it."""
    found = experiment.rehearse()
    if found is not None and experiment.team.is_main:
        narrate.trial(experiment, found, quiet)
