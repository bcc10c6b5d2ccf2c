"""Samples that are predicted side by side: the same results in the same order as one by one."""

import threading

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.data.sample import Data, Sample
from fullconv.evaluation import scored_samples
from fullconv.evaluation.scored_samples import samples_at_once, score_samples
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg11_bn", 2, width=1 / 16, hidden=16)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return fc.Model(network, ("a", "b"))


def samples(count=7, fails=None):
    def read(index):
        if index == fails:
            raise ValueError("cannot be read")
        image = np.random.default_rng(index).integers(0, 256, (32 + index, 40, 3), np.uint8)
        return Sample(image, np.zeros(image.shape[:2], np.uint8), f"n{index}")

    names = tuple(f"n{i}" for i in range(count))
    return Data("noise", None, ("a", "b"), ((0, 0, 0), (1, 1, 1)), names, read)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_samples_that_are_predicted_side_by_side_keep_their_order_and_labels(model, threads):
    threads(1)
    alone = list(score_samples(model, samples()))
    threads(2)
    together = list(score_samples(model, samples()))
    assert [one.sample.name for one in together] == [f"n{i}" for i in range(7)]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.confusion.counts, other.confusion.counts)


def test_a_sample_that_cannot_be_read_ends_the_evaluation_and_its_threads(model, threads):
    threads(2)
    before = threading.active_count()
    found = []
    with pytest.raises(ValueError, match="cannot be read"):
        found.extend(score_samples(model, samples(fails=4)))
    assert threading.active_count() == before


def test_an_evaluation_that_is_not_finished_leaves_no_thread(model, threads):
    threads(2)
    before = threading.active_count()
    scored = score_samples(model, samples())
    next(scored)
    scored.close()
    assert threading.active_count() == before


def test_an_image_above_its_share_of_the_memory_is_predicted_with_all_of_it(
    model, threads, monkeypatch
):
    threads(2)
    expected = [one.labels for one in score_samples(model, samples(3))]
    monkeypatch.setattr(scored_samples, "free_memory", lambda: 400)  # of a share: 50 bytes
    found = [one.labels for one in score_samples(model, samples(3))]
    assert all(map(np.array_equal, found, expected)) and len(found) == 3


def test_as_many_large_samples_are_predicted_at_once_as_the_memory_holds_whole(model, monkeypatch):
    monkeypatch.setattr(scored_samples, "computing_threads", lambda: 8)
    whole = 1_200_000 * runtime_pixel_bytes(model.network)
    monkeypatch.setattr(scored_samples, "memory_for_images", lambda memory: int(3.5 * whole))
    assert samples_at_once(model, (1000, 1200, 3), 20) == 3
    assert samples_at_once(model, (1000, 1200, 3), 2) == 2
    assert samples_at_once(model, (1000, 1200, 3), 20, scales=(1.0, 2.0)) == 1
    assert samples_at_once(model, (32, 40, 3), 20) == 8
