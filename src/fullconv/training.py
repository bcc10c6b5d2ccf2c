"""Training: a loop that yields Steps, and goes on exactly where it was stopped.

Randomness is a function, not a state: the order, the augmentation and the dropout follow from the
seed and the number of the step, so that model, optimiser and step number are all there is to keep.
"""

import inspect
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fullconv.averages import Average
from fullconv.balance import RULES, Counts
from fullconv.checkpoint import load_checkpoint, save_checkpoint
from fullconv.config import TrainConfig
from fullconv.downloads import IMAGENET, imagenet_weights
from fullconv.errors import ConfigError, DataError, DivergedError
from fullconv.fcn import create_model, parse_name
from fullconv.losses import make_loss
from fullconv.model import Model
from fullconv.optimizers import make_optimizer, schedule
from fullconv.order import batches, dropout_seed
from fullconv.sample import Batch, Data
from fullconv.team import ALONE, Team
from fullconv.weights import load_weights

COUNTED = 500  # samples whose pixels decide the class weights
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


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

    def __init__(self, model: Model, data: Data, config: TrainConfig, team: Team = ALONE) -> None:
        if not len(data):
            raise DataError(f"{data.source} has no samples to train on (split {data.split})")
        if data.classes != model.classes:
            raise DataError(
                f"{data.source} has the classes {', '.join(data.classes)}; the model was made for "
                f"{', '.join(model.classes)}"
            )
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
        self.layout = torch.channels_last if config.channels_last else torch.preserve_format
        model.network.to(self.device).to(memory_format=self.layout)
        if config.sync_bn:
            nn.SyncBatchNorm.convert_sync_batchnorm(model.network)  # type: ignore[no-untyped-call]
        self.forward = _shared(model.network, config, self.device, team)
        self.optimizer = make_optimizer(model.network, config)
        self.average = Average(model.network, config.average) if config.average else None
        self.scaler = torch.GradScaler(self.device.type, enabled=config.precision == "fp16")
        weights = class_weights(data, config.balance, self.device)
        self.loss = make_loss(config.loss, weights, config.label_smoothing)

    @property
    def epoch(self) -> int:
        """The epoch of the last step, from 1."""
        return (self.done - 1) // self.epoch_steps + 1

    @property
    def epochs(self) -> int:
        """Epochs in all; the last may be cut short by `steps`."""
        return math.ceil(self.steps / self.epoch_steps)

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

    def averaged(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that count: the averaged ones, where there are such."""
        return self.average.in_place() if self.average else nullcontext()

    def agree(self) -> None:
        """Give all processes the statistics of the norms that the first has."""
        self.team.agree(self.model.network.state_dict())

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
        self.optimizer.zero_grad(set_to_none=True)
        parts = min(self.config.accumulate, self.batch // self.team.size)
        labels = batch.labels.to(self.device)
        alone = parts * self.team.size == 1
        whole = None if alone else self.team.add_up(self.loss.amounts(labels))
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(dropout_seed(self.config.seed, self.done, self.team.rank))
            pieces = zip(batch.image.tensor_split(parts), labels.tensor_split(parts), strict=True)
            for number, (image, truth) in enumerate(pieces, 1):
                with self._gradients_stay(number < parts):
                    loss = self.loss(self._score(image), truth, whole)
                    total += self.team.add_up(loss.detach().clone()).item()
                    if not math.isfinite(total):
                        raise self._diverged("loss", total, batch.names)
                    # The processes' gradients are averaged, and are parts of a sum.
                    scaled = self.scaler.scale(loss * self.team.size)
                    scaled.backward()  # type: ignore[no-untyped-call]
        self._check_gradients(batch.names)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def _gradients_stay(self, stay: bool) -> AbstractContextManager[None]:
        """Inside, gradients are added up here, and the other processes are not asked for theirs."""
        if stay and isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return nullcontext()

    def _score(self, image: Tensor) -> Tensor:
        image = image.to(self.device, memory_format=self.layout)
        precision = PRECISIONS.get(self.config.precision)
        with torch.autocast(self.device.type, precision, enabled=precision is not None):
            try:
                score: Tensor = self.forward(image)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ConfigError(
                    f"{self.config.model} normalises by the mean of what it sees at once, which is "
                    f"a single value here: {len(image)} photo of {image.shape[2]} x "
                    f"{image.shape[3]} at its coarsest; take a larger --batch or --crop, fewer "
                    "processes or parts (accumulate), or a network without batch norm"
                ) from error
        return score

    def _check_gradients(self, names: tuple[str, ...]) -> None:
        """Stop before a gradient that is not finite reaches the weights; clip them."""
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not norm.isfinite() and not self.scaler.is_enabled():
            raise self._diverged("gradient's norm", norm.item(), names)
        if self.config.clip:
            torch.nn.utils.clip_grads_with_norm_(
                self.model.network.parameters(), self.config.clip, norm
            )

    def _diverged(self, what: str, value: float, names: tuple[str, ...]) -> DivergedError:
        return DivergedError(
            f"the {what} became {value} at step {self.done + 1}, on the samples "
            f"{', '.join(names)}; the weights are those before that step: "
            f"try a lower rate than --lr {self.config.learning_rate:g}"
        )

    def rate(self, step: int) -> float:
        """The learning rate after so many steps, from 0."""
        return self.config.learning_rate * schedule(self.config, step, self.steps)

    def _set_learning_rate(self) -> float:
        lr = self.rate(self.done)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        return lr


def _shared(network: nn.Module, config: TrainConfig, device: torch.device, team: Team) -> nn.Module:
    """The network as it is called in training: compiled, and with its gradients shared."""
    if config.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    if team.size == 1:
        return network
    if config.sync_bn and device.type != "cuda":
        raise ConfigError("sync_bn: PyTorch shares the norms' statistics on GPUs only")
    places = [device] if device.type == "cuda" else None
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    key = "forward_sync_buffers" if "forward_sync_buffers" in parameters else "broadcast_buffers"
    # Otherwise the gradients are put into another order after the first step, in which three
    # numbers or more have another sum: a training that is gone on with would end in other bytes.
    settings: dict[str, Any] = {"device_ids": places, key: False, "find_unused_parameters": True}
    return DistributedDataParallel(network, **settings)


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


def new_model(config: TrainConfig, data: Data) -> Model:
    """The model that `config` describes, for `data`'s classes, its weights drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = create_model(config.model, len(data.classes), **config.architecture_settings)
    if config.weights:
        _, backbone = parse_name(config.model)
        found = imagenet_weights(backbone) if config.weights == IMAGENET else config.weights
        load_weights(network, found)
    return Model(network, data.classes, data.palette, config.size)


def class_weights(data: Data, rule: str, device: torch.device) -> torch.Tensor | None:
    """What each class weighs in the loss, from at most `COUNTED` samples; None is all the same."""
    if rule == "none":
        return None
    weights = RULES[rule](count_labels(data))
    return torch.tensor(np.nan_to_num(weights), dtype=torch.float32, device=device)


def count_labels(data: Data) -> Counts:
    """Each class's pixels, and the pixels of the photos it is in, from at most `COUNTED`."""
    pixels, present = np.zeros((2, len(data.classes)), np.int64)
    for index in range(0, len(data), max(1, len(data) // COUNTED)):
        labels = data[index].labels
        counts = np.bincount(labels.ravel(), minlength=256)[: len(data.classes)]
        pixels += counts
        present += labels.size * (counts > 0)
    return Counts(pixels, present)


def choose_device(name: str) -> torch.device:
    """The device that "auto", "cpu", "cuda", "cuda:1" or "mps" means.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no usable GPU was found here; say --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: this is no Apple machine with Metal; say --device cpu")
    return torch.device(name)
