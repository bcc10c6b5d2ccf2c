"""The samples of each step, and the loader processes."""

import os
from dataclasses import replace

import numpy as np
import pytest

from fullconv.config import TrainConfig
from fullconv.data.transforms import augment
from fullconv.training import sampler
from fullconv.training.sampler import (
    AugmentedDataset,
    ResumableBatchSampler,
    _ignore_stop_signals,
)
from toy_training import toy_data


def test_each_epoch_is_shuffled_differently_as_a_function_of_the_seed():
    first, second = (list(ResumableBatchSampler(7, 3, 0, range(4))) for _ in range(2))
    assert first == second and first != list(ResumableBatchSampler(7, 3, 1, range(4)))
    assert first[2:] == list(ResumableBatchSampler(7, 3, 0, range(2, 4)))  # from any step
    for epoch, steps in enumerate((first[:2], first[2:])):
        keys = [key for step in steps for key in step]
        assert len(set(keys)) == 6 and {one for one, _ in keys} == {epoch}


def test_a_worker_ends_if_its_parent_was_killed_before_it_started():
    child = os.fork()
    if not child:
        _ignore_stop_signals(os.getppid() + 1, 0)  # as if another process had started it
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    child = os.fork()
    if not child:
        _ignore_stop_signals(os.getppid(), 0)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(("share", "reads"), [(0.0, 8), (1.0, 4)])
def test_decoded_samples_are_kept_as_memory_allows(monkeypatch, share, reads):
    monkeypatch.setattr(sampler, "KEPT", share)
    data, read = toy_data(4), []
    counted = replace(data, read=lambda index: read.append(index) or data[index])
    config = TrainConfig(crop=(7, 9), input_scale=1.5)
    dataset = AugmentedDataset(counted, config)
    for key in [(epoch, index) for epoch in range(2) for index in range(4)]:
        found, expected = dataset[key], augment(data[key[1]], config, *key)
        assert np.array_equal(found.image, expected.image)
        assert np.array_equal(found.labels, expected.labels)
    assert len(read) == reads


def test_kept_samples_fit_the_memory(monkeypatch):
    data = toy_data(4)
    one = data[0].image.nbytes + data[0].labels.nbytes
    monkeypatch.setattr(sampler, "free_memory", lambda: 12 * one)  # a quarter: three samples
    dataset = AugmentedDataset(data, TrainConfig(crop=(7, 9)))
    for index in range(4):
        dataset[0, index]
    assert list(dataset._kept) == [0, 1, 2]
