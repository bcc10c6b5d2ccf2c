"""Before the first step: a few steps on one batch, which show what a whole training would find out.

They are taken back: a training with this rehearsal ends in the same bytes as one without.
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
from fullconv.training.trainer import Training

FEWEST, MOST = 3, 10  # steps on the one batch
SHARE = 100  # at most one step in so many of the training
NEAR = 0.05  # of ln K: how far the first loss may be from it


@dataclass(frozen=True)
class Preflight:
    """What the rehearsal showed.

    Attributes:
        losses: of the same batch, step after step.
        seconds: of one step, loading included.
        memory: bytes that the process has held at most; of the GPU where there is one.
        warnings: what will go wrong, a sentence each; none where all is well.
    """

    losses: tuple[float, ...]
    seconds: float
    memory: float
    warnings: tuple[str, ...]


def preflight(training: Training) -> Preflight:
    """Rehearse a training that has not begun; it is as before afterwards."""
    began = time.perf_counter()
    batch = _first_batch(training)
    loading = time.perf_counter() - began
    with _rehearsal(training):
        losses, seconds = _overfit(training, batch)
        unreached = tuple(_unreached(training))
    config = training.config
    spent = max(loading, seconds) if config.workers else loading + seconds
    warnings = [
        *_loss_warnings(training, losses),
        *unreached,
        *_label_warnings(training),
    ]
    return Preflight(tuple(losses), spent, peak_memory(training.device), tuple(warnings))


def _first_batch(training: Training) -> Batch:
    alone = training.config.model_copy(update={"workers": 0})
    return next(batches(training.data, alone, training.batch, range(1), training.team))


@contextmanager
def _rehearsal(training: Training) -> Iterator[None]:
    """Inside, steps are taken at the full rate; afterwards nothing of them is left."""
    network = training.model.network
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    scaler = training.scaler.state_dict()
    mode = network.training
    for group in training.optimizer.param_groups:
        group["lr"] = training.config.learning_rate * group["factor"]
    try:
        yield
    finally:
        network.load_state_dict(kept)
        network.train(mode)
        training.optimizer.state.clear()
        training.optimizer.zero_grad(set_to_none=True)
        training.scaler.load_state_dict(scaler)


def _overfit(training: Training, batch: Batch) -> tuple[list[float], float]:
    training.model.network.train()
    losses, times = [], []
    for _ in range(min(MOST, max(FEWEST, training.steps // SHARE))):
        began = time.perf_counter()
        losses.append(training.learn(batch))
        times.append(time.perf_counter() - began)
    return losses, statistics.median(times)


def _loss_warnings(training: Training, losses: list[float]) -> Iterator[str]:
    classes = len(training.model.classes)
    config = training.config
    blank = not any(layer.weight.any() for layer in training.model.network.score_layers())
    plain = config.loss == "cross-entropy" and not config.label_smoothing
    if blank and plain and losses[0] and abs(losses[0] / math.log(classes) - 1) > NEAR:
        yield (
            f"the first loss is {losses[0]:.3f}, not ln {classes} = {math.log(classes):.3f} as "
            "scores of zero give: the labels hold values that are no class, or the class weights "
            "are far apart"
        )
    if losses[0] == 0:
        yield f"the first batch has no labelled pixel: all of it is void ({training.data.source})"
    elif losses[-1] >= losses[0]:
        yield (
            f"the loss of one batch, learned {len(losses)} times over, went from {losses[0]:.3f} "
            f"to {losses[-1]:.3f}: try a lower rate than --lr {config.learning_rate:g}"
        )


def _unreached(training: Training) -> Iterator[str]:
    network = training.model.network
    for name, layer in network.named_modules():
        if name.startswith("score_") and layer in tuple(network.score_layers()):
            gradient = layer.weight.grad
            if layer.weight.requires_grad and (gradient is None or not gradient.any()):
                yield f"no gradient reaches {name}: its features are zero, so it cannot learn"
    gradients = [p.grad for p in network.backbone.parameters() if p.requires_grad]
    if gradients and not any(g is not None and bool(g.any()) for g in gradients):
        yield "no gradient reaches the backbone after the first steps, so it will not learn"


def _label_warnings(training: Training) -> Iterator[str]:
    counts: Counts = count_labels(training.data)
    absent = [
        name
        for name, pixels in zip(training.model.classes, counts.pixels, strict=True)
        if not pixels
    ]
    if absent:
        yield (
            f"no pixel is labelled {', '.join(absent)} in {training.data.source} "
            f"({training.data.split or 'all of it'}), so that cannot be learned: "
            "`fullconv check` says more"
        )
