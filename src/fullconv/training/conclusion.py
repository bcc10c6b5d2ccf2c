"""Evaluate the model that a run keeps, and write the report of the run."""

from collections.abc import Iterable, Sequence

from fullconv.config import RunConfig
from fullconv.data.sample import Data
from fullconv.evaluation.evaluate import Progress, summarize_heads
from fullconv.evaluation.evaluation import HeadEvaluations
from fullconv.evaluation.report.page import write_report
from fullconv.evaluation.scored_samples import ScoredSample, score_samples
from fullconv.model import load
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
    progress: Progress | None = None,
) -> HeadEvaluations:
    """Evaluate a run's best model and write its report; return the evaluation of each head.

    Args:
        config: the run's settings, resolved.
        trainer: of the run.
        val: the samples to evaluate.
        logger: of the run.
        best_epoch: epoch of the kept model.
        notes: what the protocol has to say about the samples.
        progress: see `evaluate`.
    """
    best = load(logger.run.best)
    best.network.to(trainer.device)
    scored: Iterable[ScoredSample] = score_samples(best, val)
    if progress:
        scored = progress(scored, len(val), "evaluating the best model")
    stopped = trainer.done < trainer.steps
    cut = f"; stopped after step {trainer.done} of {trainer.steps}" if stopped else ""
    evaluations = summarize_heads(scored, val, best.protocols(cut + "".join(notes)))
    report = report_data(config, trainer, val, best, best_epoch, evaluations, logger)
    write_report(logger.run.folder, report)
    return evaluations
