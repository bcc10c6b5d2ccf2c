"""The training loop: it yields one `Step` at a time and resumes exactly from a checkpoint.

Order, augmentation and dropout follow from the seed and the step number (see `sampler`), so a
checkpoint consists of the model, the optimizer state and the step number.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fullconv.config import Part, TrainConfig
from fullconv.data.batches import Batch
from fullconv.data.labels.class_weights import class_weights
from fullconv.data.sample import Data
from fullconv.errors import ConfigError, DataError, DivergedError
from fullconv.hardware import choose_device
from fullconv.inference.heap import KEPT_FOR_STEPS, keep_heap, release_heap
from fullconv.model import Model
from fullconv.training.checkpoint import load_checkpoint, save_checkpoint
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.ema import EMA
from fullconv.training.logit_adjustment import check_logit_adjust, logit_adjusted
from fullconv.training.losses import Loss, final_loss, make_loss
from fullconv.training.losses.heads import HeadsLoss
from fullconv.training.parallel_parts import count_parts
from fullconv.training.plan import TrainingPlan, final_loss_start
from fullconv.training.resolve import BATCH
from fullconv.training.resolve_objective import resolve_objective
from fullconv.training.sampler import batches
from fullconv.training.teacher import open_teacher
from fullconv.training.train_step import TrainStep


@dataclass(frozen=True)
class Step:
    """One finished optimization step.

    Attributes:
        number: steps done, from 1.
        epoch: the epoch it belongs to, from 1.
        loss: value of `config.loss` on the batch, before the update; cross entropy is in nats.
        lr: the learning rate it used.
        names: the samples of the batch.
        seconds: its time, loading included.
        ends_epoch: whether it is the last step of its epoch.
        model: what is trained, in place.
    """

    number: int
    epoch: int
    loss: float
    lr: float
    names: tuple[str, ...]
    seconds: float
    ends_epoch: bool
    model: Model = field(repr=False)


class Trainer:
    """The state of a training: the model, the optimizer and the number of steps done.

    Args:
        model: trained in place.
        data: the training samples.
        config: of the training.
        group: the processes that share each batch.

    Raises:
        DataError: there are no samples, or their classes or inputs are not the model's.
        ConfigError: the batch has fewer samples than there are processes.
    """

    def __init__(
        self, model: Model, data: Data, config: TrainConfig, group: ProcessGroup = SINGLE_PROCESS
    ) -> None:
        check_data(model, data)
        self.model = model
        model.band_choice = data.band_choice
        self.data = data
        config = _with_size(resolve_objective(config, data)[0], model)
        self.config = config
        self.group = group
        self.device = choose_device(config.device)
        self.batch = min(config.batch or BATCH, len(data))
        if self.batch < group.size:
            raise ConfigError(
                f"a batch of {self.batch} cannot be split over {group.size} processes; use "
                f"--batch {group.size} or more, or start fewer processes"
            )
        self.epoch_steps = len(data) // self.batch
        self.plan = TrainingPlan.of(config, self.epoch_steps)
        self.done = 0
        check_logit_adjust(config)
        self.loss, self._final_loss = _make_losses(data, config, self.device)
        parts = min(config.accumulate, self.batch // group.size)
        images = self.batch // group.size
        at_once = count_parts(config, model.network, images, self.device, group)
        self.config = config = config.model_copy(update={"parallel_parts": at_once})
        self.teacher = open_teacher(config, data)
        if self.teacher:
            if group.size > 1:
                raise ConfigError(
                    "a teacher needs one process; start the training without torchrun"
                )
            decided = {"teacher_fingerprint": self.teacher.identity}
            self.config = config = config.model_copy(update=decided)
        self._train_step = TrainStep(
            model.network, self.loss, config, parts, at_once, self.device, group
        )
        self.optimizer, self.scaler = self._train_step.optimizer, self._train_step.scaler
        self.ema = EMA(model.network, config.ema) if config.ema else None
        self._keep_memory()

    @property
    def epoch(self) -> int:
        """The epoch of the last step, from 1."""
        return (self.done - 1) // self.epoch_steps + 1

    @property
    def steps(self) -> int:
        """Number of steps; 0 if they have not been planned yet."""
        return self.plan.steps

    @property
    def epochs(self) -> int:
        """Number of epochs; the last one may be cut short."""
        return self.plan.epochs

    def use_plan(self, parts: tuple[Part, ...]) -> None:
        """Train by these parts."""
        self.config = self.config.model_copy(update={"plan": parts})
        self.plan = TrainingPlan.of(self.config, self.epoch_steps)

    @property
    def ends_epoch(self) -> bool:
        """Whether the last step was the last of its epoch."""
        return self.done % self.epoch_steps == 0 or self.done == self.steps

    def run(self) -> Iterator[Step]:
        """Train from the current step to the last, yielding each step.

        Raises:
            DivergedError: a loss or gradient is not finite; the weights are those before the step.
        """
        self._keep_memory()
        try:
            yield from self._steps()
        finally:
            if self.device.type == "cpu":
                keep_heap()
                release_heap()

    def _keep_memory(self) -> None:
        """Keep the memory that a step takes for the next one."""
        if self.device.type == "cpu":
            keep_heap(KEPT_FOR_STEPS)

    def _steps(self) -> Iterator[Step]:
        """Yield the steps of `run`."""
        for _ in self.teacher.prepare() if self.teacher else ():
            pass
        began = time.perf_counter()
        steps = range(self.done, self.steps)
        for batch in batches(self.data, self.config, self.batch, steps, self.group, self.teacher):
            lr = self._set_learning_rate()
            loss = self.train_step(batch)
            self.done += 1
            if self.ema:
                self.ema.update(self.done)
            seconds = time.perf_counter() - began
            yield Step(
                self.done, self.epoch, loss, lr, batch.names, seconds, self.ends_epoch, self.model
            )
            began = time.perf_counter()

    def train_step(self, batch: Batch) -> float:
        """Update the weights on one batch at the optimizer's learning rates; return the loss.

        Raises:
            DivergedError: see `run`.
        """
        self._train_step.loss = self.loss_of(self.done)
        return self._train_step(batch, self.done)

    def loss_of(self, step: int) -> Loss | HeadsLoss:
        """Return the loss of a step, from 0."""
        is_final = self.steps and step >= final_loss_start(self.config, self.steps)
        return self._final_loss if is_final else self.loss

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, from 0."""
        return self.plan.learning_rate(step)

    @contextmanager
    def inference_weights(self) -> Iterator[None]:
        """Put the weights of the final model in place: the EMA, with adjusted logits."""
        weights, factor = self.loss.weights, self.config.logit_adjust
        with ExitStack() as changes:
            if self.ema:
                changes.enter_context(self.ema.apply())
            if weights is not None and factor:
                changes.enter_context(logit_adjusted(self.model.network, weights, factor))
            yield

    def broadcast_weights(self) -> None:
        """Give all processes the main one's weights and norm statistics."""
        self.group.broadcast(self.model.network.state_dict())

    def save(self, path: Path, **notes: Any) -> None:
        """Write a checkpoint, with further plain values in its header."""
        self.check_weights()
        ema = self.ema.values if self.ema else {}
        notes |= {"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {}
        save_checkpoint(path, self.model, self.optimizer, ema, step=self.done, **notes)

    def restore(self, path: Path) -> dict[str, Any]:
        """Load a checkpoint; return the further values that `save` wrote."""
        notes, ema = load_checkpoint(path, self.model, self.optimizer)
        self.done = int(notes["step"])
        if self.ema:
            self.ema.restore(ema)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(notes["scaler"])
        return notes

    def check_weights(self) -> None:
        """Check that all weights are finite, before they are saved.

        Raises:
            DivergedError: one is not; the last steps were too large.
        """
        for name, value in self.model.network.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                raise DivergedError(
                    f"{name} is no longer finite after step {self.done}, and is not saved; try a "
                    f"learning rate lower than --lr {self.config.learning_rate:g}"
                )

    def _set_learning_rate(self) -> float:
        lr = self.learning_rate(self.done)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = lr * parameters["factor"]
        return lr


def _with_size(config: TrainConfig, model: Model) -> TrainConfig:
    """Give the model the size and the working scale of the settings, or they get the model's.

    A loaded model predicts photos at its own scale, so it is trained at that.
    """
    model.size = config.size or model.size
    model.input_scale = config.input_scale or model.input_scale
    return config.model_copy(update={"size": model.size, "input_scale": model.input_scale})


def _make_losses(
    data: Data, config: TrainConfig, device: torch.device
) -> tuple[Loss | HeadsLoss, Loss | HeadsLoss]:
    """Return the loss of the data set's labels, or of all its heads, and that of the last part.

    Raises:
        ConfigError: the settings do not fit the number of heads, or the loss no teacher.
    """
    factors, count = config.head_weights, len(data.heads)
    if factors is not None and len(factors) != count:
        raise ConfigError(
            f"head_weights has {len(factors)} numbers; the data set has {count or 'no'} heads"
        )
    if not data.heads:
        weights = class_weights(data, config.balance, device)
        loss = make_loss(config.loss, weights, config.label_smoothing)
        last = final_loss(config, weights) or loss
        if config.teacher:
            _check_means(config.loss, loss, "loss")
            _check_means(config.final_loss, last, "final_loss")
        return loss, last
    for name in ("logit_adjust", "final_loss", "teacher"):
        if getattr(config, name):
            raise ConfigError(f"{name} is for one head; leave it out")
    names = tuple(head.name for head in data.heads)
    parts = tuple(
        make_loss(
            config.loss,
            class_weights(data.head(name), config.balance, device),
            config.label_smoothing,
        )
        for name in names
    )
    scores = tuple(len(head.classes) for head in data.heads)
    together = HeadsLoss(parts, names, scores, factors or (1.0,) * count)
    return together, together


def _check_means(spec: str | None, loss: Loss, setting: str) -> None:
    """Check that a loss is a mean over pixels, as that of a teacher is.

    Raises:
        ConfigError: it is a sum, beside which the teacher would count for almost nothing.
    """
    if any(term.is_sum for _, term in loss.terms):
        raise ConfigError(
            f"{setting} is {spec!r}, a sum over pixels, beside which a teacher counts for almost "
            "nothing; use a mean with a teacher, e.g. cross-entropy, or leave the teacher out"
        )


def check_samples(data: Data) -> None:
    """Check that there are samples to train on.

    Raises:
        DataError: there are none.
    """
    if not len(data):
        raise DataError(
            f"no samples to train on in {f'the split {data.split}' if data.split else 'the data'}",
            expected="one photo with its mask at least",
            where=data.source,
        )


def check_data(model: Model, data: Data) -> None:
    """Check that a model can be trained on a data set.

    Raises:
        DataError: there are no samples, or their classes or inputs are not the model's.
    """
    check_samples(data)
    remedy = "use a model with the classes of the data set"
    data.check_classes(model.classes, remedy, model.heads)
    if data.inputs and data.inputs != model.inputs:
        names = [", ".join(extra.name for extra in each) for each in (data.inputs, model.inputs)]
        raise DataError(
            f"photos with the inputs {names[0]}",
            expected=f"those of the model, {names[1] or 'none'}",
            remedy="use a model with the inputs of the data set",
            where=data.source,
        )
