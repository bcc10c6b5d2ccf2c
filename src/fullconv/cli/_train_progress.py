"""Run a training to its end, stage by stage, or until it is asked to stop."""

import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from fullconv.cli import _train_messages as messages
from fullconv.cli._console import say
from fullconv.cli._signals import EXIT_CODES, collect_signals
from fullconv.cli._train_line import ProgressLine, activity

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.evaluation.evaluate import Progress
    from fullconv.evaluation.evaluation import HeadEvaluations
    from fullconv.evaluation.scored_samples import ScoredSample
    from fullconv.training.distributed import ProcessGroup
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import Run


REQUEUE = 75  # exit code: stopped on request, to be started again with --resume


def train_stages(
    config: "RunConfig",
    run: "Run",
    first: "Experiment | None",
    group: "ProcessGroup",
    quiet: bool = False,
    deadline: float = math.inf,
    further: tuple[str, float] | None = None,
) -> "HeadEvaluations | None":
    """Run every unfinished stage and print its progress.

    Args:
        config: of the run.
        run: its folder.
        first: the first stage, if it is built already.
        group: the processes that train together; the main one prints.
        quiet: print only results and warnings.
        deadline: of time.monotonic(), after which a checkpoint is saved.
        further: duration for which the last stage is trained after its checkpoint.

    Returns:
        The evaluations of the last stage; None in all processes but the main one.

    Raises:
        typer.Exit: it was asked to stop, and a checkpoint is saved.
    """
    from fullconv.training.experiment import Experiment
    from fullconv.training.stages import stages_of

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
            with activity("reading the data set", quiet or not group.is_main):
                experiment = Experiment(stage.as_started().config, stage.initial, group, stage.run)
        if number == 1 and group.is_main:
            messages.say_left_out(experiment)
        with activity("checking photos and masks", quiet or not group.is_main):
            experiment.attach(stage.run, run)
        experiment.further = further if number == len(stages) else None
        evaluation = train_to_end(experiment, quiet, deadline)
    return evaluation


def train_to_end(
    experiment: "Experiment", quiet: bool = False, deadline: float = math.inf
) -> "HeadEvaluations | None":
    """Run an experiment to its end, or to a deadline of time.monotonic(), and print progress."""
    is_main = experiment.group.is_main
    quiet = quiet or not is_main
    if not quiet:
        messages.say_setup(experiment)
    if is_main:
        messages.say_weights(experiment, quiet)
    with ProgressLine(quiet, experiment.began) as line:
        for doing in experiment.prepare():
            line.activity(doing.text)
    if is_main:
        messages.say_plan(experiment, quiet)
    with collect_signals() as received, ProgressLine(quiet, experiment.began) as line:
        code = _run(experiment, line, quiet, deadline, received)
        if code:
            _stop(experiment, line, code)
        if not is_main:
            return None
        try:
            evaluation = experiment.finish(_progress(line, received))
        except _StoppedError:
            messages.say_unreported(experiment)
            raise typer.Exit(EXIT_CODES[received[0]]) from None
    messages.say_finished(experiment, evaluation, quiet)
    return evaluation


def _run(
    experiment: "Experiment",
    line: ProgressLine,
    quiet: bool,
    deadline: float,
    received: list[signal.Signals],
) -> int:
    """Train and print progress; return the exit code of a request to stop, or 0."""
    from fullconv.training.events import EvalProgress, Note, Round
    from fullconv.training.trainer import Step

    trainer, group = experiment.trainer, experiment.group
    code = 0
    step: Step | None = None
    with closing(experiment.events()) as events:
        for event in events:
            if isinstance(event, Note):  # processes may have different notes: do not synchronize
                if group.is_main:
                    messages.say_note(event)
                continue
            if isinstance(event, Step):
                step = event
            if isinstance(event, Round) and not quiet:
                messages.say_round(event, experiment, line.elapsed)
            if isinstance(event, Step | EvalProgress):
                progress = event if isinstance(event, EvalProgress) else None
                text = messages.progress_text(trainer, step, progress)
                share = trainer.done / trainer.steps
                line.progress(text, share, messages.seconds_left(experiment))
            late = REQUEUE if time.monotonic() > deadline else 0
            code = group.all_reduce_max(
                EXIT_CODES[received[0]] if received else late, trainer.device
            )
            if code:
                break
        if code:
            events.close()  # during an evaluation the network holds other weights
            experiment.stop(f"exit code {code}")
    return code


def _stop(experiment: "Experiment", line: ProgressLine, code: int) -> None:
    """Say what a stopped run leaves, and exit; after Ctrl-C, write a report first.

    A scheduler that sends another signal may not wait for a report.
    """
    from fullconv.errors import FullconvError

    evaluation = None
    if experiment.group.is_main:
        messages.say_stopped(experiment)
        if code == EXIT_CODES[signal.SIGINT]:
            try:
                evaluation = experiment.report_so_far(_progress(line, []))
            except (FullconvError, OSError) as error:  # the checkpoint is saved all the same
                say(f"warning: no report was written: {error}")
        messages.say_usable(experiment, evaluation)
    # Wait for each other: a process that exits earlier may end the main one with it.
    experiment.group.all_reduce_max(0, experiment.trainer.device)
    raise typer.Exit(code)


class _StoppedError(Exception):
    """The final evaluation was asked to stop."""


def _progress(line: ProgressLine, received: list[signal.Signals]) -> "Progress":
    """Return what shows the progress of an evaluation, and stops it if asked to."""

    def watched(
        scored: "Iterable[ScoredSample]", total: int, what: str
    ) -> "Iterator[ScoredSample]":
        for number, sample in enumerate(scored, 1):
            if received:
                raise _StoppedError
            line.progress(f"{what} on photo {number} of {total}", number / total)
            yield sample
        line.activity("writing the report")

    return watched
