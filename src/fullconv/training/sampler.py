"""Batches as a function of the seed and the step: order, augmentation and dropout keep no state."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from fullconv.config import TrainConfig
from fullconv.data.batches import Batch, collate
from fullconv.data.sample import Data, Sample
from fullconv.data.transforms import fitted, generator, vary
from fullconv.hardware import free_memory
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.teacher import Teacher

# What a random stream is for; part of its key, so no two uses share a stream. 1 is
# transforms.AUGMENT.
_ORDER, _DROPOUT = 0, 2

KEPT = 0.25  # share of the free memory for decoded samples

Key = tuple[int, int]  # (epoch, index)


class ResumableBatchSampler:
    """Yield lists of (epoch, index), one per step; each epoch shuffles all samples anew.

    Samples that do not fill the last batch of an epoch are dropped; other epochs include them.

    Args:
        count: number of samples.
        batch: batch size, over all processes.
        seed: of the shuffling.
        steps: the steps to yield, e.g. those after a checkpoint.
        group: the processes that share each batch.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        seed: int,
        steps: range,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.count, self.batch, self.seed, self.steps = count, batch, seed, steps
        self.group = group

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[Key]]:
        per_epoch = self.count // self.batch
        order: np.ndarray = np.empty(0, np.int64)
        shuffled = -1
        for step in self.steps:
            epoch, position = divmod(step, per_epoch)
            if epoch != shuffled:
                order = generator(self.seed, _ORDER, epoch).permutation(self.count)
                shuffled = epoch
            indices = order[position * self.batch : (position + 1) * self.batch].tolist()
            yield [(epoch, index) for index in self.group.shard(indices)]


class AugmentedDataset(Dataset[Sample]):
    """The training data: keys (epoch, index) -> augmented samples.

    Decoded samples at their working scale are kept, as far as a share of the free memory allows: a
    photo of 12 megapixels takes longer to decode than a crop of it to learn from.
    """

    def __init__(
        self,
        data: Data,
        config: TrainConfig,
        processes: int = 1,
        teacher: Teacher | None = None,
    ) -> None:
        self.data = data
        self.teacher = teacher
        self.config = config
        self._kept: dict[int, Sample] = {}
        self._room = int(KEPT * free_memory() / max(1, config.workers) / processes)

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        sample = self._fitted(index)
        varied = vary(sample, self.config, epoch, index)
        if self.teacher is None:
            return varied
        return replace(varied, soft=self.teacher.varied(sample, epoch, index))

    def _fitted(self, index: int) -> Sample:
        if index in self._kept:
            return self._kept[index]
        sample = fitted(self.data[index], self.config)
        labels = (sample.labels, *sample.others)
        size = sample.image.nbytes + sum(own.nbytes for own in labels)
        if size <= self._room:
            self._room -= size
            self._kept[index] = sample
        return sample


def batches(
    data: Data,
    config: TrainConfig,
    batch: int,
    steps: range,
    group: ProcessGroup = SINGLE_PROCESS,
    teacher: Teacher | None = None,
) -> Iterator[Batch]:
    """Yield the batches of these steps, or this process's part of each.

    Without worker processes, a thread prepares the next batch while one is used.
    """
    loaded = iter(
        DataLoader(
            AugmentedDataset(data, config, group.size, teacher),
            batch_sampler=ResumableBatchSampler(len(data), batch, config.seed, steps, group),
            num_workers=config.workers,
            collate_fn=collate,
            # Otherwise it draws a number from PyTorch's global generator, which is the caller's.
            generator=torch.Generator(),
            worker_init_fn=partial(_ignore_stop_signals, os.getpid()),
        )
    )
    return loaded if config.workers else _ahead(loaded)


def _ahead(loaded: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches, each of which was taken while the one before was used."""
    with ThreadPoolExecutor(1, "batches") as pool:
        following = pool.submit(next, loaded, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, loaded, None)
            yield batch


def _ignore_stop_signals(parent: int, worker: int) -> None:
    """Leave signals to stop, which may be sent to all processes, to the training process."""
    # A worker ends with its parent, but would wait forever if the parent ended before this line.
    if os.getppid() != parent:
        os._exit(1)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):  # Windows has no SIGUSR1
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """Return the seed of the random numbers inside the network, for a step and a process."""
    key = (seed, _DROPOUT, step, rank) if rank else (seed, _DROPOUT, step)
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's generators of the CPU and of a device; restore their states afterwards."""
    gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if gpu else []):
        # Not torch.manual_seed, which seeds all other devices too.
        torch.default_generator.manual_seed(seed)
        if gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
