"""The samples of each step, and the loader processes."""

import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from fullconv.config import TrainConfig
from fullconv.data.transforms import augment
from fullconv.errors import DataError
from fullconv.training import sampler
from fullconv.training.sampler import (
    AugmentedDataset,
    ResumableBatchSampler,
    _ignore_stop_signals,
    batches,
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


def test_the_next_batch_is_prepared_while_one_is_used():
    data, second = toy_data(4), threading.Event()
    reads = []

    def read(index):
        reads.append((index, threading.current_thread() is threading.main_thread()))
        if len(reads) == 4:
            second.set()
        return data[index]

    found = batches(replace(data, read=read), TrainConfig(crop=(8, 8)), 2, range(2))
    first = next(found)
    assert second.wait(30)  # without asking for it
    names = [*first.names, *next(found).names]
    assert sorted(names) == ["n0", "n1", "n2", "n3"] and next(found, None) is None
    assert not any(main for _, main in reads)


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_the_same_with_threads_and_processes(workers):
    data, config = toy_data(4), TrainConfig(crop=(8, 8), workers=workers)
    found = list(batches(data, config, 2, range(1, 4)))
    dataset = AugmentedDataset(data, config)
    for batch, keys in zip(found, ResumableBatchSampler(4, 2, 0, range(1, 4)), strict=True):
        assert batch.names == tuple(data.names[index] for _, index in keys)
        for image, key in zip(batch.image, keys, strict=True):
            assert np.array_equal(image.permute(1, 2, 0).numpy(), dataset[key].image)


def test_a_photo_that_cannot_be_read_is_reported_with_its_batch_and_no_thread_stays():
    data = toy_data(4)
    names = list(ResumableBatchSampler(4, 2, 0, range(2)))
    bad = names[1][0][1]

    def read(index):
        if index == bad:
            raise DataError("it is damaged", expected="a photo", where="n")
        return data[index]

    before = threading.active_count()
    found = batches(replace(data, read=read), TrainConfig(crop=(8, 8)), 2, range(2))
    assert len(next(found).names) == 2
    with pytest.raises(DataError, match="it is damaged"):
        next(found)
    abandoned = batches(data, TrainConfig(crop=(8, 8)), 2, range(2))
    next(abandoned)
    abandoned.close()
    assert threading.active_count() == before
