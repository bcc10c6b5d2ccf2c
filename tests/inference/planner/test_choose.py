"""Plans for an image and a memory budget, and that their peak fits the budget."""

import re

import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError
from fullconv.inference.planner import band_executors, plan, self_check
from fullconv.inference.planner import memory_cost as needs
from fullconv.inference.streaming.graph import record_ops
from fullconv.units import parse_bytes
from random_networks import random_network


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch):
    """Reduce the fixed memory, so that even small images exceed a budget."""
    monkeypatch.setattr(needs, "FIXED", 64 * 2**20)
    monkeypatch.setattr(needs, "SLACK", 1.2)
    monkeypatch.setattr(needs, "SCATTER", 1)


@pytest.fixture(scope="module")
def network():
    return random_network("fcn8s-vgg16", width=1 / 8, hidden=32)


def test_an_image_that_fits_is_predicted_as_a_whole(network):
    found = plan(network, (480, 640), "4GiB")
    assert found.kind == "whole" and found.exact and found.note == ""
    assert plan(network, (480, 640), "1GiB").kind == "whole"


def test_a_large_image_is_predicted_in_strips_that_fit(network):
    found = plan(network, (6000, 4000), "300MiB")
    assert found.kind == "strips" and found.exact and found.columns == 4000
    assert 64 <= found.rows < 6000 and found.peak <= 300 * 2**20
    assert plan(network, (6000, 4000), "200MiB").rows < found.rows
    assert plan(network, (60000, 4000), "300MiB").rows == found.rows  # independent of the height


def test_wide_strips_are_divided_into_bands(network):
    found = plan(network, (6000, 40000), "200MiB")
    assert found.kind == "strips" and found.columns < 40000 and found.peak <= 200 * 2**20
    assert len(band_executors(record_ops(network, (6000, 40000), weights=False), found)) > 1


def test_too_little_memory_is_refused_with_the_memory_required(network):
    size = (600, 6000)
    with pytest.raises(ConfigError, match=r"600 x 6000 takes this network at least .*") as caught:
        plan(network, size, "66MiB")
    required = re.search(r"at least ([\d.]+ MiB)", str(caught.value))[1]
    found = plan(network, size, required)
    assert found.rows < 64 and found.peak <= parse_bytes(required)
    assert found.peak == needs.peak(record_ops(network, size, weights=False), found)


def test_with_little_free_memory_strips_are_used(network, monkeypatch):
    monkeypatch.setattr(needs, "free_memory", lambda: 100 * 2**20)
    assert plan(network, (1500, 2000)).kind == "strips"


def test_the_memory_of_upsampled_scores_is_counted(network):
    small = plan(network, (300, 400), "600MiB")
    large = plan(network, (300, 400), "600MiB", resized=(6000, 8000))
    assert small.kind == "whole" and large.kind == "strips"
    assert large.resized == (6000, 8000) and large.result == (6000, 8000)
    assert plan(network, (300, 400), "600MiB", resized=(300, 400)).resized is None


def test_a_network_with_global_pooling_gets_blended_tiles():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 21, 3, padding=1)

        def forward(self, x):
            x = self.layer(x)
            return x - x.mean((2, 3), keepdim=True)

    network = Pooled().eval()
    found = plan(network, (9000, 12000), "500MiB")
    assert found.kind == "tiles" and not found.exact
    assert found.rows % 32 == found.columns % 32 == found.overlap % 32 == 0
    assert 2 * found.overlap < found.rows
    assert "mean over the whole image" in found.note and "blended" in found.note
    with pytest.raises(ConfigError, match="tiles of 256 x 256"):
        plan(network, (9000, 12000), "66MiB")


def test_the_analysis_of_a_network_is_cached(network, monkeypatch):
    plan(network, (3000, 3000), "300MiB")
    monkeypatch.setattr(needs, "_estimate", lambda *given: pytest.fail("it is cached"))
    monkeypatch.setattr(self_check, "_difference", lambda *given: pytest.fail("it is cached"))
    assert plan(network, (3100, 3000), "300MiB").kind == "strips"


def test_planning_works_on_meta_tensors():
    with torch.device("meta"):
        network = meta_network()
    assert plan(network, (20000, 30000), "4GiB").kind == "strips"


def meta_network():
    import fullconv as fc

    network = fc.create_model("fcn8s-vgg16", 21).eval()
    network.normalize.to("meta")
    return network
