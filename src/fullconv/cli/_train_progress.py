"""Run a training to its end, stage by stage, or until it is asked to stop."""

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from fullconv.cli import _train_messages as messages
from fullconv.cli._console import progress_bar, say
from fullconv.cli._signals import EXIT_CODES, collect_signals

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


def train_stages(
    config: "RunConfig",
    run: "Run",
    first: "Experiment | None",
    group: "ProcessGroup",
    quiet: bool = False,
    max_seconds: float | None = None,
) -> "Evaluation | None":
    """Run every unfinished stage and print its progress.

    Args:
        config: of the run.
        run: its folder.
        first: the first stage, if it is built already.
        group: the processes that train together; the main one prints.
        quiet: print only results and warnings.
        max_seconds: time limit, after which a checkpoint is saved; None is no limit.

    Returns:
        The evaluation of the last stage; None in all processes but the main one.

    Raises:
        typer.Exit: it was asked to stop, and a checkpoint is saved.
    """
    from fullconv.training.experiment import Experiment
    from fullconv.training.stages import stages_of

    deadline = math.inf if max_seconds is None else time.monotonic() + max_seconds
    evaluation = None
    stages = list(stages_of(config, run.folder))
    for number, stage in enumerate(stages, 1):
        if stage.run.finished and stage.run.folder != run.folder:
            continue
        if len(stages) > 1 and group.is_main:
            lr = stage.config.learning_rate
            say(f"stage {number}/{len(stages)}: {stage.config.model}, learning rate {lr:.2g}")
        if first and number == 1:
            experiment = first
        else:
            experiment = Experiment(stage.config, stage.initial, group)
        if number == 1 and group.is_main:
            messages.say_left_out(experiment)
        experiment.attach(stage.run, run)
        evaluation = train_to_end(experiment, quiet, deadline)
    return evaluation


def train_to_end(
    experiment: "Experiment", quiet: bool = False, deadline: float = math.inf
) -> "Evaluation | None":
    """Run an experiment to its end, or to a deadline of time.monotonic(), and print progress."""
    is_main = experiment.group.is_main
    quiet = quiet or not is_main
    if not quiet:
        messages.say_setup(experiment)
    if is_main:
        messages.say_weights(experiment, quiet)
    result = experiment.run_preflight()
    if result is not None and is_main:
        messages.say_preflight(experiment, result, quiet)
    code = _run(experiment, quiet, deadline)
    if code:
        if is_main:
            messages.say_stopped(experiment)
        raise typer.Exit(code)
    if not is_main:
        return None
    evaluation = experiment.finish()
    messages.say_finished(experiment, evaluation, quiet)
    return evaluation


def _run(experiment: "Experiment", quiet: bool, deadline: float) -> int:
    """Train and print progress; return the exit code of a request to stop, or 0."""
    from fullconv.training.events import Note

    trainer, group = experiment.trainer, experiment.group
    code = 0
    with (
        collect_signals() as received,
        progress_bar(quiet) as bar,
        closing(experiment.events()) as events,
    ):
        task = bar.add_task("training", total=trainer.steps, completed=trainer.done)
        for event in events:
            if isinstance(event, Note):  # processes may have different notes: do not synchronize
                if group.is_main:
                    messages.say_note(event)
                continue
            _show(event, bar, task, quiet)
            late = REQUEUE if time.monotonic() > deadline else 0
            code = group.all_reduce_max(
                EXIT_CODES[received[0]] if received else late, trainer.device
            )
            if code:
                break
        if code:
            events.close()  # during an evaluation the network holds other weights
            experiment.stop(f"exit code {code}")
            # Wait for each other: a process that exits earlier may end the main one with it.
            group.all_reduce_max(0, trainer.device)
    return code


def _show(
    event: "Step | EvalProgress | Epoch", bar: "Progress", task: "TaskID", quiet: bool
) -> None:
    from fullconv.training.events import Epoch, EvalProgress
    from fullconv.training.trainer import Step

    if isinstance(event, Epoch) and not quiet:
        messages.say_epoch(event)
    if isinstance(event, Step):
        bar.update(task, completed=event.number, description=f"loss {event.loss:.3f}")
    if isinstance(event, EvalProgress):
        bar.update(task, description=f"evaluating {event.done} of {event.samples}")
