"""Dry run before a training: a few steps on one batch, which reveal time, memory and mistakes.

The steps are rolled back, so a training with a dry run ends in the same bytes as one without.
"""

import math
import statistics
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from fullconv.data.batches import Batch, collate
from fullconv.data.labels.class_weights import count_labels, counted
from fullconv.data.sample import Data
from fullconv.evaluation.scored_samples import score_samples
from fullconv.hardware import OtherPrograms, computing_threads, peak_memory
from fullconv.training.budget import Timing
from fullconv.training.events import Activity
from fullconv.training.plan import spread
from fullconv.training.sampler import AugmentedDataset, ResumableBatchSampler
from fullconv.training.trainer import Trainer
from fullconv.units import count

MIN_STEPS, MAX_STEPS = 3, 10
STEPS_SHARE = 100  # at most one dry-run step per so many training steps
MAX_TIMED = 50  # steps that are timed for a plan in minutes,
MINUTES_SHARE = 0.01  # which may take this share of the minutes
MIN_SECONDS = 2.5  # or so long
LONG = 10.0  # seconds after which the steps, or the images, that are timed are enough
LOSS_TOLERANCE = 0.05  # relative difference of the first loss from ln K


@dataclass(frozen=True)
class Preflight:
    """Result of a dry run.

    Attributes:
        losses: of one batch, step by step.
        timing: of a step, loading included, and of the evaluation of an image.
        memory: peak bytes of the process, or of the GPU; nan if unknown.
        warnings: what will go wrong.
    """

    losses: tuple[float, ...]
    timing: Timing
    memory: float
    warnings: tuple[str, ...]


def preflight(trainer: Trainer, val: Data | None = None) -> Generator[Activity, None, Preflight]:
    """Make a dry run of a training that has not started; its state is unchanged afterwards.

    Args:
        trainer: the training.
        val: the samples to evaluate on, to time it.

    Returns:
        The result, once everything that is yielded was done.
    """
    yield Activity("timing a step")
    others = OtherPrograms()
    with _rolled_back(trainer):
        losses, step, reading = _time_steps(trainer)
        gradient_warnings = tuple(_check_gradients(trainer))
    if val is not None:
        yield Activity("timing the evaluation of a photo")
    image = _time_image(trainer, val)
    busy = others.describe()
    yield Activity(f"reading {count(len(counted(trainer.data)), 'mask')}")
    warnings = [
        *([f"{busy}; a step takes longer than it does alone"] if busy else []),
        *_check_losses(trainer, losses),
        *gradient_warnings,
        *_check_labels(trainer),
    ]
    return Preflight(
        losses=tuple(losses),
        timing=Timing(step, image, reading),
        memory=peak_memory(trainer.device),
        warnings=tuple(warnings),
    )


def measure(trainer: Trainer, val: Data | None = None) -> Timing:
    """Time the next steps of a training, and an evaluation; its state is unchanged afterwards."""
    with _rolled_back(trainer):
        _, step, reading = _time_steps(trainer)
    return Timing(step, _time_image(trainer, val), reading)


def _time_steps(trainer: Trainer) -> tuple[list[float], float, float]:
    """Train on one batch.

    Returns:
        The losses, the seconds of a step, loading included, and those of reading all samples once.
    """
    batch, loading, reading = _load(trainer)
    losses, seconds = _overfit(trainer, batch)
    # A thread loads the next batch meanwhile, on cores that the step itself uses on a CPU.
    beside = loading / computing_threads() if trainer.device.type == "cpu" else 0.0
    step = max(loading, seconds + (0.0 if trainer.config.workers else beside))
    return losses, step, reading


def _load(trainer: Trainer) -> tuple[Batch, float, float]:
    """Return the batch of the first step, and the seconds to load a batch and to read all samples.

    The second batch is loaded twice: the samples of the first time may have been kept.
    """
    dataset = AugmentedDataset(trainer.data, trainer.config, trainer.group.size, trainer.teacher)
    given = len(trainer.data), trainer.batch, trainer.config.seed
    keys = list(ResumableBatchSampler(*given, range(min(2, trainer.epoch_steps)), trainer.group))
    batch = collate([dataset[key] for key in keys[0]])
    times = [time.perf_counter()]
    for _ in range(2):
        collate([dataset[key] for key in keys[-1]])
        times.append(time.perf_counter())
    began, read, end = times
    loading = end - read
    return batch, loading, max(0.0, read - began - loading) * trainer.epoch_steps


def _time_image(trainer: Trainer, val: Data | None) -> float:
    """Return the seconds that evaluating an image takes a process, over their number."""
    if val is None:
        return 0.0
    ends = [time.perf_counter()]
    wanted = 1 + 2 * computing_threads()  # as many may be predicted at the same time
    with trainer.inference_weights():
        for _ in score_samples(trainer.model, val.take(spread(len(val), wanted))):
            ends.append(time.perf_counter())
            if ends[-1] - ends[0] > LONG:
                break
    # The first one may prepare what the others use.
    began, *rest = ends[1:] if len(ends) > 2 else ends
    return (rest[-1] - began) / len(rest) / trainer.group.size


@contextmanager
def _rolled_back(trainer: Trainer) -> Iterator[None]:
    """Restore the state on exit of what is trained inside."""
    network, optimizer = trainer.model.network, trainer.optimizer
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    states = {
        parameter: {k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()}
        for parameter, state in optimizer.state.items()
    }
    averaged = {k: v.clone() for k, v in trainer.ema.values.items()} if trainer.ema else {}
    scaler = trainer.scaler.state_dict()
    mode = network.training
    try:
        yield
    finally:
        network.load_state_dict(kept)
        network.train(mode)
        optimizer.state.clear()
        optimizer.state.update(states)
        optimizer.zero_grad(set_to_none=True)
        if trainer.ema:
            trainer.ema.restore(averaged)
        trainer.scaler.load_state_dict(scaler)


def _overfit(trainer: Trainer, batch: Batch) -> tuple[list[float], float]:
    """Train on one batch; return the losses and the median seconds per step."""
    losses: list[float] = []
    times: list[float] = []
    while _wants_more(trainer, len(losses), sum(times)):
        began = time.perf_counter()
        _set_learning_rate(trainer, len(losses))
        losses.append(trainer.train_step(batch))
        if trainer.ema:
            trainer.ema.update(trainer.done)
        times.append(time.perf_counter() - began)
    return losses, statistics.median(times[1:])


def _set_learning_rate(trainer: Trainer, step: int) -> None:
    """Set the learning rate of a step of the dry run: as in the training's warmup, then the peak.

    A rate that is right after a warmup may let an untrained network diverge.
    """
    share = min(1.0, (step + 1) / max(1, trainer.config.warmup))
    for parameters in trainer.optimizer.param_groups:
        parameters["lr"] = share * trainer.config.learning_rate * parameters["factor"]


def _wants_more(trainer: Trainer, done: int, seconds: float) -> bool:
    """Whether a dry run takes another step; a plan in minutes is worth a hundredth of them."""
    if trainer.group.size > 1:  # all processes have to take as many
        return done < (MAX_STEPS if not trainer.steps else MIN_STEPS)
    minutes = trainer.config.minutes
    if minutes and not trainer.steps:
        most, limit = MAX_TIMED, max(MIN_SECONDS, MINUTES_SHARE * 60 * minutes)
    else:
        wanted = trainer.steps // STEPS_SHARE if trainer.steps else MAX_STEPS
        most, limit = min(MAX_STEPS, max(MIN_STEPS, wanted)), LONG
    return done < MIN_STEPS or (done < most and seconds < limit)


def _check_losses(trainer: Trainer, losses: list[float]) -> Iterator[str]:
    classes = len(trainer.model.classes)
    config = trainer.config
    zero_scores = not any(layer.weight.any() for layer in trainer.model.network.score_layers())
    one_head = not trainer.model.heads
    plain = config.loss == "cross-entropy" and not config.label_smoothing and one_head
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
    pixels = [p for head in trainer.data.by_head().values() for p in count_labels(head).pixels]
    names = zip(trainer.data.score_names, pixels, strict=True)
    absent = [name for name, found in names if not found]
    if absent:
        noun, pronoun = ("class ", "it") if len(absent) == 1 else ("any of the classes ", "they")
        if len(absent) == 1 and absent[0].startswith("class "):
            noun = ""
        split, read = trainer.data.split or "all samples", len(counted(trainer.data))
        is_all = read == len(trainer.data)
        where = "" if is_all else f" in the {count(read, 'mask')} that were read"
        yield (
            f"no training pixel{where} has {noun}{', '.join(absent)}, so {pronoun} "
            f"{'cannot' if is_all else 'may not'} be learned "
            f"({trainer.data.source}, {split}; details: `fullconv check`)"
        )
