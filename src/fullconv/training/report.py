"""The contents of a run's report."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path

from fullconv._version import __version__
from fullconv.config import NONE, RunConfig
from fullconv.data.sample import Data
from fullconv.evaluation.evaluation import HeadEvaluations
from fullconv.evaluation.metrics import EpochIoU
from fullconv.evaluation.report.page import HeadReport, ReportData
from fullconv.evaluation.summary import choose_gallery
from fullconv.io.commands import pasted
from fullconv.model import Model
from fullconv.training.losses.heads import HeadsLoss
from fullconv.training.plan import shown_duration
from fullconv.training.run.logger import RunLogger
from fullconv.training.trainer import Trainer
from fullconv.units import count, format_duration


def report_data(
    config: RunConfig,
    trainer: Trainer,
    val: Data,
    best: Model,
    best_epoch: int,
    evaluations: HeadEvaluations,
    logger: RunLogger,
) -> ReportData:
    """Collect what the report of a finished run shows.

    Args:
        config: the run's settings, resolved.
        trainer: at its end.
        val: the evaluated samples.
        best: the model that the run keeps.
        best_epoch: its epoch.
        evaluations: of that model.
        logger: of the run.
    """
    folder, evaluated = logger.run.folder, len(val)
    history = logger.run.read_results()
    return ReportData(
        title=folder.name,
        summary=_summary(config, trainer, evaluated),
        facts=report_facts(config, trainer, evaluated, best_epoch, history),
        history=history,
        heads=tuple(_head_reports(trainer, val, best, evaluations, logger.class_rows)),
        commands=next_commands(folder, config.data, val.split),
        notes=logger.notes,
    )


def _head_reports(
    trainer: Trainer,
    val: Data,
    best: Model,
    evaluations: HeadEvaluations,
    history: Sequence[EpochIoU],
) -> Iterator[HeadReport]:
    """Yield what the report shows of each head of the model."""
    loss, first = trainer.loss, 0
    losses = loss.parts if isinstance(loss, HeadsLoss) else (loss,)
    for part, (name, data) in zip(losses, val.by_head().items(), strict=True):
        evaluation, own = evaluations.heads[name], slice(first, first + len(data.classes))
        yield HeadReport(
            name=name,
            classes=data.classes,
            palette=data.palette,
            confusion=evaluation.confusion,
            gallery=choose_gallery(best, data, evaluation, head=name),
            protocol=evaluation.protocol,
            class_history=[row._replace(iou=row.iou[own]) for row in history],
            class_weights=None if part.weights is None else part.weights.tolist(),
        )
        first = own.stop


def next_commands(folder: Path, data: str, split: str | None = "val") -> list[str]:
    """Return the commands that a user may want to run next.

    Args:
        folder: of the run.
        data: the data set.
        split: the one that the run was evaluated on; None for all samples.
    """
    evaluate = ("fullconv", "evaluate", folder, data, "--split", split or "all")
    return [
        pasted("fullconv", "predict", folder, "NEW_PHOTOS", "--out", "predictions"),
        pasted(*evaluate, "--json", "evaluation.json"),
    ]


def describe_classes(model: Model) -> str:
    """Return the number of classes in words, e.g. "semantic 33 classes, geometric 3 classes"."""
    if not model.heads:
        return count(len(model.classes), "class")
    return ", ".join(f"{head.name} {count(len(head.classes), 'class')}" for head in model.heads)


def _summary(config: RunConfig, trainer: Trainer, evaluated: int) -> str:
    return (
        f"{config.model}, {describe_classes(trainer.model)}, trained on "
        f"{count(len(trainer.data), 'image')} of {config.data}, evaluated on {evaluated:,}"
    )


def report_facts(
    config: RunConfig,
    trainer: Trainer,
    evaluated: int,
    best_epoch: int,
    history: Sequence[Mapping[str, float]],
) -> dict[str, str]:
    """Return the run's settings and origin as name -> text.

    Args:
        config: the run's settings, resolved.
        trainer: at its end.
        evaluated: number of evaluated images.
        best_epoch: epoch of the kept model.
        history: rows of results.csv.
    """
    parameters = sum(p.numel() for p in trainer.model.network.parameters())
    return {
        "model": f"{config.model}, padding {config.padding}",
        "parameters": f"{parameters:,}",
        "initial weights": "random" if config.weights == NONE else config.weights,
        "data": f"{config.data}: {count(len(trainer.data), 'training image')}, "
        f"{evaluated:,} evaluated",
        "image size": _image_size(config),
        "training crops": _size("", config.crop_size) if config.crop_size else "whole images",
        "loss": _losses(trainer),
        "class weights": config.balance,
        "logit adjustment": f"{config.logit_adjust:g}" if config.logit_adjust else "none",
        "EMA decay": f"{config.ema:g}" if config.ema else "none",
        "recipe": config.recipe or "modern",
        "optimizer": f"{config.optimizer}, learning rate {config.learning_rate:g}, "
        f"{config.schedule} schedule",
        "steps": _steps(trainer),
        "duration": ", then ".join(shown_duration(part.asked) for part in trainer.plan.parts),
        "kept epoch": str(best_epoch),
        "time": format_duration(sum(row["seconds"] for row in history)),
        "seed": str(config.seed),
        "fullconv": __version__,
    }


def _steps(trainer: Trainer) -> str:
    """Return the steps and epochs that were done, and of how many if the training was stopped."""
    done, epochs = f"{trainer.done:,}", f"{ceil(trainer.done / trainer.epoch_steps):,}"
    if trainer.done < trainer.steps:
        done, epochs = f"{done} of {trainer.steps:,}", f"{epochs} of {trainer.epochs:,}"
    noun = "epoch" if trainer.epochs == 1 else "epochs"
    return f"{done} with batch size {trainer.batch} ({epochs} {noun})"


def _image_size(config: RunConfig) -> str:
    parts = [_size("downscaled to fit", config.size)] if config.size else []
    if config.input_scale not in (None, 1):
        parts.append(f"scaled by {config.input_scale:g}")
    return ", ".join(parts) or "original"


def _size(prefix: str, size: tuple[int, int]) -> str:
    return f"{prefix} {size[0]} x {size[1]}".strip()


def _losses(trainer: Trainer) -> str:
    """Return the loss in words, with that of the last part and the teacher if there are any."""
    config, texts = trainer.config, [trainer.loss.describe()]
    if config.final_loss:
        last = trainer.loss_of(max(0, trainer.steps - 1)).describe()
        texts.append(f"in the last {100 * config.final_loss_share:g} % of the steps {last}")
    if trainer.teacher:
        texts.append(f"{100 * config.teacher_weight:g} % of it from the teacher {config.teacher}")
    return "; ".join(texts)
