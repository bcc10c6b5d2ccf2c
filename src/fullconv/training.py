"""Training: a loop that yields Steps, and goes on exactly where it was stopped.

Randomness is a function, not a state: the order, the augmentation and the dropout follow from the
seed and the number of the step, so that model, optimiser and step number are all there is to keep.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from fullconv.balance import RULES, Counts
from fullconv.checkpoint import load_checkpoint, save_checkpoint
from fullconv.config import TrainConfig
from fullconv.downloads import IMAGENET, imagenet_weights
from fullconv.errors import ConfigError, DataError, DivergedError
from fullconv.fcn import create_model, parse_name
from fullconv.losses import cross_entropy
from fullconv.model import Model
from fullconv.sample import Batch, Data, Sample, collate
from fullconv.transforms import apply, augmentation, fit, generator
from fullconv.weights import load_weights

# What the number drawn from a key is for; part of the key, so that no two uses share a stream.
_ORDER, _AUGMENT, _DROPOUT = range(3)

COUNTED = 500  # samples whose pixels decide the class weights

Key = tuple[int, int]  # (epoch, index)


@dataclass(frozen=True)
class Step:
    """One step of a training.

    Attributes:
        number: steps done, from 1.
        epoch: the epoch it belongs to, from 1.
        loss: mean cross entropy of the step's valid pixels, in nats.
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

    Raises:
        DataError: no samples, or other classes than the model's.
    """

    def __init__(self, model: Model, data: Data, config: TrainConfig) -> None:
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
        self.device = choose_device(config.device)
        self.batch = min(config.batch, len(data))
        self.epoch_steps = len(data) // self.batch
        self.steps = config.steps or config.epochs * self.epoch_steps
        self.done = 0
        model.network.to(self.device)
        self.optimizer = make_optimizer(model.network, config)
        self.weights = class_weights(data, config.balance, self.device)

    def save(self, path: Path, **notes: Any) -> None:
        """Write all that going on needs."""
        save_checkpoint(path, self.model, self.optimizer, step=self.done, **notes)

    def restore(self, path: Path) -> dict[str, Any]:
        """Go back to the state that `save` wrote; gives its notes."""
        notes = load_checkpoint(path, self.model, self.optimizer)
        self.done = int(notes["step"])
        return notes

    def run(self) -> Iterator[Step]:
        """Train, one `Step` at a time, from where the state is to the last step.

        Raises:
            DivergedError: a loss that is not finite; the weights are still those before the step.
        """
        began = time.perf_counter()
        for batch in self._batches():
            self.model.network.train()
            lr = self._set_learning_rate()
            loss = self._learn(batch)
            self.done += 1
            now = time.perf_counter()
            epoch = (self.done - 1) // self.epoch_steps + 1
            ends = self.done % self.epoch_steps == 0 or self.done == self.steps
            yield Step(self.done, epoch, loss, lr, batch.names, now - began, ends)
            began = time.perf_counter()

    def _learn(self, batch: Batch) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_number(self.config.seed, _DROPOUT, self.done))
            score = self.model.network(batch.image.to(self.device))
        loss = cross_entropy(score, batch.labels.to(self.device), self.weights)
        if not math.isfinite(loss.item()):
            raise DivergedError(
                f"the loss became {loss.item()} at step {self.done + 1}, on the samples "
                f"{', '.join(batch.names)}; the weights are those before that step: "
                f"try a lower rate than --lr {self.config.learning_rate:g}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()

    def _set_learning_rate(self) -> float:
        lr = self.config.learning_rate * schedule(self.config, self.done, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        return lr

    def _batches(self) -> Iterator[Batch]:
        view = _View(self.data, self.config)
        return iter(
            DataLoader(
                view,
                batch_sampler=self._keys(),
                num_workers=self.config.workers,
                collate_fn=collate,
            )
        )

    def _keys(self) -> "_Keys":
        return _Keys(len(self.data), self.batch, self.config.seed, range(self.done, self.steps))


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
    pixels, present = np.zeros((2, len(data.classes)), np.int64)
    for index in range(0, len(data), max(1, len(data) // COUNTED)):
        labels = data[index].labels
        counts = np.bincount(labels.ravel(), minlength=256)[: len(data.classes)]
        pixels += counts
        present += labels.size * (counts > 0)
    weights = RULES[rule](Counts(pixels, present))
    return torch.tensor(np.nan_to_num(weights), dtype=torch.float32, device=device)


def schedule(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate at a step, as a share of the highest."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    share = (step - config.warmup) / max(1, steps - config.warmup)
    curves: dict[str, Callable[[float], float]] = {
        "poly": lambda share: (1 - share) ** 0.9,
        "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
        "constant": lambda share: 1.0,
    }
    return float(curves[config.schedule](share))


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW; biases and norms do not decay, the backbone has its own rate."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            kind = (name.startswith("backbone."), parameter.ndim > 1)
            groups.setdefault(kind, []).append(parameter)
    settings = [
        {
            "params": parameters,
            "factor": config.backbone_lr if backbone else 1.0,
            "weight_decay": config.weight_decay if matrix else 0.0,
        }
        for (backbone, matrix), parameters in sorted(groups.items())
    ]
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(settings, rate, momentum=config.momentum)
    return torch.optim.AdamW(settings, rate)


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


class _View(Dataset[Sample]):
    """The data set as training sees it: keys (epoch, index) -> augmented samples."""

    def __init__(self, data: Data, config: TrainConfig) -> None:
        self.data = data
        self.size = config.size
        self.seed = config.seed
        self.steps = augmentation(config, config.crop)

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        sample = fit(self.data[index], self.size)
        return apply(self.steps, sample, generator(self.seed, _AUGMENT, epoch, index))


class _Keys:
    """Which samples each step sees: a fresh order every epoch, a function of the seed."""

    def __init__(self, count: int, batch: int, seed: int, steps: range) -> None:
        self.count, self.batch, self.seed, self.steps = count, batch, seed, steps

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[Key]]:
        per_epoch = self.count // self.batch
        order: np.ndarray = np.empty(0, np.int64)
        shuffled = -1
        for step in self.steps:
            epoch, place = divmod(step, per_epoch)
            if epoch != shuffled:
                order = generator(self.seed, _ORDER, epoch).permutation(self.count)
                shuffled = epoch
            chosen = order[place * self.batch : (place + 1) * self.batch]
            yield [(epoch, int(index)) for index in chosen]


def _number(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
