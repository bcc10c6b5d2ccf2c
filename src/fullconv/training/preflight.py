"""Dry run before a training: a few steps on one batch, which reveal time, memory and mistakes.

The steps are rolled back, so a training with a dry run ends in the same bytes as one without.
"""

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fullconv.data.labels.class_weights import Counts, count_labels
from fullconv.data.sample import Batch
from fullconv.hardware import peak_memory
from fullconv.training.sampler import batches
from fullconv.training.trainer import Trainer

MIN_STEPS, MAX_STEPS = 3, 10
STEPS_SHARE = 100  # at most one dry-run step per so many training steps
LOSS_TOLERANCE = 0.05  # relative difference of the first loss from ln K


@dataclass(frozen=True)
class Preflight:
    """Result of a dry run.

    Attributes:
        losses: of one batch, step by step.
        seconds: per step, loading included.
        memory: peak bytes of the process, or of the GPU; nan if unknown.
        warnings: what will go wrong.
    """

    losses: tuple[float, ...]
    seconds: float
    memory: float
    warnings: tuple[str, ...]


def preflight(trainer: Trainer) -> Preflight:
    """Make a dry run of a training that has not started; its state is unchanged afterwards."""
    began = time.perf_counter()
    batch = _first_batch(trainer)
    loading = time.perf_counter() - began
    with _rolled_back(trainer):
        losses, seconds = _overfit(trainer, batch)
        gradient_warnings = tuple(_check_gradients(trainer))
    workers = trainer.config.workers
    warnings = [
        *_check_losses(trainer, losses),
        *gradient_warnings,
        *_check_labels(trainer),
    ]
    return Preflight(
        losses=tuple(losses),
        seconds=max(loading, seconds) if workers else loading + seconds,
        memory=peak_memory(trainer.device),
        warnings=tuple(warnings),
    )


def _first_batch(trainer: Trainer) -> Batch:
    config = trainer.config.model_copy(update={"workers": 0})
    return next(batches(trainer.data, config, trainer.batch, range(1), trainer.group))


@contextmanager
def _rolled_back(trainer: Trainer) -> Iterator[None]:
    """Train at the peak learning rate inside; restore the initial state on exit."""
    network = trainer.model.network
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    scaler = trainer.scaler.state_dict()
    mode = network.training
    for parameters in trainer.optimizer.param_groups:
        parameters["lr"] = trainer.config.learning_rate * parameters["factor"]
    try:
        yield
    finally:
        network.load_state_dict(kept)
        network.train(mode)
        trainer.optimizer.state.clear()
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer.scaler.load_state_dict(scaler)


def _overfit(trainer: Trainer, batch: Batch) -> tuple[list[float], float]:
    """Train on one batch; return the losses and the median seconds per step."""
    trainer.model.network.train()
    losses, times = [], []
    for _ in range(min(MAX_STEPS, max(MIN_STEPS, trainer.steps // STEPS_SHARE))):
        began = time.perf_counter()
        losses.append(trainer.train_step(batch))
        times.append(time.perf_counter() - began)
    return losses, statistics.median(times)


def _check_losses(trainer: Trainer, losses: list[float]) -> Iterator[str]:
    classes = len(trainer.model.classes)
    config = trainer.config
    zero_scores = not any(layer.weight.any() for layer in trainer.model.network.score_layers())
    plain = config.loss == "cross-entropy" and not config.label_smoothing
    uniform = math.log(classes)  # the cross entropy of a uniform prediction
    if zero_scores and plain and losses[0] and abs(losses[0] / uniform - 1) > LOSS_TOLERANCE:
        yield (
            f"the first loss is {losses[0]:.3f}, but a network whose scores are all zero should "
            f"have ln {classes} = {uniform:.3f}: masks hold values that are not classes, or the "
            "class weights are far apart"
        )
    if losses[0] == 0:
        yield f"the first batch has no labelled pixel, only ignored ones ({trainer.data.source})"
    elif losses[-1] >= losses[0]:
        yield (
            f"the loss on a single batch went from {losses[0]:.3f} to {losses[-1]:.3f} in "
            f"{len(losses)} steps instead of falling; try a learning rate lower than "
            f"--lr {config.learning_rate:g}"
        )


def _check_gradients(trainer: Trainer) -> Iterator[str]:
    network = trainer.model.network
    for name, layer in network.named_modules():
        if name.startswith("score_") and layer in tuple(network.score_layers()):
            gradient = layer.weight.grad
            if layer.weight.requires_grad and (gradient is None or not gradient.any()):
                yield f"{name} gets no gradient, so it cannot learn: its input features are zero"
    gradients = [p.grad for p in network.backbone.parameters() if p.requires_grad]
    if gradients and not any(g is not None and bool(g.any()) for g in gradients):
        yield "the backbone gets no gradient in the first steps, so it will not learn"


def _check_labels(trainer: Trainer) -> Iterator[str]:
    counts: Counts = count_labels(trainer.data)
    absent = [
        name
        for name, pixels in zip(trainer.model.classes, counts.pixels, strict=True)
        if not pixels
    ]
    if absent:
        noun, pronoun = ("class ", "it") if len(absent) == 1 else ("any of the classes ", "they")
        if len(absent) == 1 and absent[0].startswith("class "):
            noun = ""
        split = trainer.data.split or "all samples"
        yield (
            f"no training pixel has {noun}{', '.join(absent)}, so {pronoun} cannot be learned "
            f"({trainer.data.source}, {split}; details: `fullconv check`)"
        )
