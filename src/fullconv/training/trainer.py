"""Training: a loop that yields Steps, and goes on exactly where it was stopped.

Randomness is a function, not a state: the order, the augmentation and the dropout follow from the
seed and the number of the step, so that model, optimiser and step number are all there is to keep.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from fullconv.config import TrainConfig
from fullconv.data.labels.class_weights import class_weights
from fullconv.data.sample import Batch, Data
from fullconv.errors import ConfigError, DataError, DivergedError
from fullconv.hardware import choose_device
from fullconv.model import Model
from fullconv.training.checkpoint import load_checkpoint, save_checkpoint
from fullconv.training.distributed import ALONE, ProcessGroup
from fullconv.training.ema import EMA
from fullconv.training.initial_model import new_model
from fullconv.training.logit_adjustment import check_taken_back, logit_adjusted
from fullconv.training.losses import make_loss
from fullconv.training.optim import schedule
from fullconv.training.sampler import batches
from fullconv.training.train_step import TrainStep


@dataclass(frozen=True)
class Step:
    """One step of a training.

    Attributes:
        number: steps done, from 1.
        epoch: the epoch it belongs to, from 1.
        loss: what `config.loss` gives over the step's pixels; cross entropy is in nats.
        lr: the learning rate it used.
        names: the samples it saw.
        seconds: its time, loading included.
        ends_epoch: whether the epoch is over.
    """

    number: int
    epoch: int
    loss: float
    lr: float
    names: tuple[str, ...]
    seconds: float
    ends_epoch: bool


class Training:
    """The state of one training: model, optimiser, and how many steps are done.

    Args:
        model: it is trained in place.
        data: the training samples.
        config: how.
        team: the processes that share each batch.

    Raises:
        DataError: no samples, or other classes than the model's.
        ConfigError: a batch that cannot be shared.
    """

    def __init__(
        self, model: Model, data: Data, config: TrainConfig, team: ProcessGroup = ALONE
    ) -> None:
        _check_classes(model, data)
        self.model = model
        self.data = data
        self.config = config
        self.team = team
        self.device = choose_device(config.device)
        self.batch = min(config.batch, len(data))
        if self.batch < team.size:
            raise ConfigError(
                f"a batch of {self.batch} cannot be shared by {team.size} processes; "
                f"say --batch {team.size} or more, or start fewer"
            )
        self.epoch_steps = len(data) // self.batch
        self.steps = config.steps or config.epochs * self.epoch_steps
        self.done = 0
        weights = class_weights(data, config.balance, self.device)
        check_taken_back(config)
        self.loss = make_loss(config.loss, weights, config.label_smoothing)
        parts = min(config.accumulate, self.batch // team.size)
        self.learner = TrainStep(model.network, self.loss, config, parts, self.device, team)
        self.optimizer, self.scaler = self.learner.optimizer, self.learner.scaler
        self.average = EMA(model.network, config.average) if config.average else None

    @property
    def epoch(self) -> int:
        """The epoch of the last step, from 1."""
        return (self.done - 1) // self.epoch_steps + 1

    @property
    def epochs(self) -> int:
        """Epochs in all; the last may be cut short by `steps`."""
        return ceil(self.steps / self.epoch_steps)

    @property
    def ends_epoch(self) -> bool:
        """Whether the last step was the last of its epoch."""
        return self.done % self.epoch_steps == 0 or self.done == self.steps

    def save(self, path: Path, **notes: Any) -> None:
        """Write all that going on needs."""
        self.check_weights()
        average = self.average.values if self.average else {}
        notes |= {"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {}
        save_checkpoint(path, self.model, self.optimizer, average, step=self.done, **notes)

    def restore(self, path: Path) -> dict[str, Any]:
        """Go back to the state that `save` wrote; gives its notes."""
        notes, average = load_checkpoint(path, self.model, self.optimizer)
        self.done = int(notes["step"])
        if self.average:
            self.average.restore(average)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(notes["scaler"])
        return notes

    def check_weights(self) -> None:
        """Make sure that nothing is kept which nobody could go on from.

        Raises:
            DivergedError: a weight is not finite: the last steps were too large.
        """
        for name, value in self.model.network.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                raise DivergedError(
                    f"{name} is no longer finite after step {self.done}, and is not saved: "
                    f"try a lower rate than --lr {self.config.learning_rate:g}"
                )

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model is the one that counts: averaged, the classes' weights taken back."""
        weights, share = self.loss.weights, self.config.unweigh
        with ExitStack() as changes:
            if self.average:
                changes.enter_context(self.average.in_place())
            if weights is not None and share:
                changes.enter_context(logit_adjusted(self.model.network, weights, share))
            yield

    def broadcast(self) -> None:
        """Give all processes the statistics of the norms that the first has."""
        self.team.broadcast(self.model.network.state_dict())

    def run(self) -> Iterator[Step]:
        """Train, one `Step` at a time, from where the state is to the last step.

        Raises:
            DivergedError: a loss or gradient that is not finite; the weights are still those
                before the step.
        """
        began = time.perf_counter()
        steps = range(self.done, self.steps)
        for batch in batches(self.data, self.config, self.batch, steps, self.team):
            self.model.network.train()
            lr = self._set_learning_rate()
            loss = self.learn(batch)
            self.done += 1
            if self.average:
                self.average.update(self.done)
            seconds = time.perf_counter() - began
            yield Step(self.done, self.epoch, loss, lr, batch.names, seconds, self.ends_epoch)
            began = time.perf_counter()

    def learn(self, batch: Batch) -> float:
        """Take one step on a batch at the optimiser's present rate; gives the loss before it.

        Raises:
            DivergedError: see `run`.
        """
        return self.learner.learn(batch, self.done)

    def rate(self, step: int) -> float:
        """The learning rate after so many steps, from 0."""
        return self.config.learning_rate * schedule(self.config, step, self.steps)

    def _set_learning_rate(self) -> float:
        lr = self.rate(self.done)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        return lr


def _check_classes(model: Model, data: Data) -> None:
    if not len(data):
        raise DataError(f"{data.source} has no samples to train on (split {data.split})")
    if data.classes != model.classes:
        raise DataError(
            f"{data.source} has the classes {', '.join(data.classes)}; the model was made for "
            f"{', '.join(model.classes)}"
        )


def train(model: Model | str, data: Data, config: TrainConfig | None = None) -> Iterator[Step]:
    """Train a model, or a fresh one of the given name, on a data set.

    A loop you own: stop, log and save when you like.

    Args:
        model: trained in place; a name such as "fcn8s-vgg16_bn" gets fresh weights.
        data: `open_data(...)`.
        config: how; the defaults suit a few hundred photos.
    """
    config = config or TrainConfig()
    if isinstance(model, str):
        model = new_model(config.model_copy(update={"model": model}), data)
    return Training(model, data, config).run()
