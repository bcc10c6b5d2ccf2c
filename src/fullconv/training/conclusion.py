"""Evaluate the model that a run keeps, and write the report of the run."""

import time
from collections.abc import Generator, Sequence

from fullconv.config import RunConfig
from fullconv.data.sample import Data
from fullconv.evaluation.evaluate import Evaluation, summarize
from fullconv.evaluation.report.page import write_report
from fullconv.evaluation.scored_samples import ScoredSample, score_samples
from fullconv.model import load
from fullconv.training.events import Activity, EvalProgress
from fullconv.training.report import report_data
from fullconv.training.run.logger import RunLogger
from fullconv.training.trainer import Trainer


def conclude(
    config: RunConfig,
    trainer: Trainer,
    val: Data,
    logger: RunLogger,
    best_epoch: int,
    notes: Sequence[str] = (),
    seconds: float = float("inf"),
) -> Generator[EvalProgress | Activity, None, Evaluation]:
    """Evaluate a run's best model and write its report, yielding the progress.

    Args:
        config: the run's settings, resolved.
        trainer: of the run.
        val: the samples to evaluate.
        logger: of the run.
        best_epoch: epoch of the kept model.
        notes: what the protocol has to say about the samples.
        seconds: time after which no further sample is evaluated.

    Returns:
        The evaluation.
    """
    best = load(logger.run.best)
    best.network.to(trainer.device)
    scored: list[ScoredSample] = []
    began = time.monotonic()
    for sample in score_samples(best, val):
        scored.append(sample)
        yield EvalProgress(len(scored), len(val))
        if time.monotonic() - began > seconds:
            break
    seen = val.take(range(len(scored)))
    cut = f"; stopped after step {trainer.done} of {trainer.steps}" * (trainer.done < trainer.steps)
    protocol = best.protocol + cut + "".join(notes)
    evaluation = summarize(scored, seen, protocol)
    yield Activity("writing the report")
    report = report_data(config, trainer, seen, best, best_epoch, evaluation, logger)
    write_report(logger.run.folder, report)
    return evaluation
