"""Which samples each step of a training sees: a function of the seed and the step, not a state."""

import os
import signal
from collections.abc import Iterator
from functools import partial

import numpy as np
from torch.utils.data import DataLoader, Dataset

from fullconv.config import TrainConfig
from fullconv.data.sample import Batch, Data, Sample, collate
from fullconv.data.transforms import generator, seen
from fullconv.training.distributed import ALONE, ProcessGroup

# What the number drawn from a key is for; part of the key, so that no two uses share a stream.
# 1 is transforms.AUGMENT.
_ORDER, _DROPOUT = 0, 2

Key = tuple[int, int]  # (epoch, index)


class ResumableBatchSampler:
    """Lists of (epoch, index), one a step: every epoch has a fresh order of all samples.

    What does not fill a batch at the end of an epoch is left out; another epoch sees it.

    Args:
        count: samples.
        batch: of a step.
        seed: of the orders.
        steps: the steps that are still to be done.
        team: who shares the batches.
    """

    def __init__(
        self, count: int, batch: int, seed: int, steps: range, team: ProcessGroup = ALONE
    ) -> None:
        self.count, self.batch, self.seed, self.steps = count, batch, seed, steps
        self.team = team

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
            chosen = order[place * self.batch : (place + 1) * self.batch].tolist()
            yield [(epoch, index) for index in self.team.share(chosen)]


class AugmentedDataset(Dataset[Sample]):
    """The data set as training sees it: keys (epoch, index) -> augmented samples."""

    def __init__(self, data: Data, config: TrainConfig) -> None:
        self.data = data
        self.config = config

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        return seen(self.data[index], self.config, epoch, index)


def batches(
    data: Data, config: TrainConfig, batch: int, steps: range, team: ProcessGroup = ALONE
) -> Iterator[Batch]:
    """The batches of these steps, or this process's part of each, read by `config.workers`."""
    return iter(
        DataLoader(
            AugmentedDataset(data, config),
            batch_sampler=ResumableBatchSampler(len(data), batch, config.seed, steps, team),
            num_workers=config.workers,
            collate_fn=collate,
            worker_init_fn=partial(_undisturbed, os.getpid()),
        )
    )


def _undisturbed(parent: int, worker: int) -> None:
    """Leave a signal to stop, which may go to all processes, to the one that trains.

    A worker ends when its parent does, but would wait for ever where that was before it looked.
    """
    if os.getppid() != parent:
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """What the random numbers inside the network follow from; each process draws its own."""
    key = (seed, _DROPOUT, step, rank) if rank else (seed, _DROPOUT, step)
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
