"""An image gets the plan that its memory allows, and what is planned fits."""

import re

import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError
from fullconv.inference.planner import band_executors, plan
from fullconv.inference.planner import memory_cost as needs
from fullconv.inference.planner import self_check as trust
from fullconv.inference.streaming.graph import record_ops
from fullconv.units import parse_bytes
from random_networks import random_network


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch):
    """So little beside the maps themselves that small images do not fit, either."""
    monkeypatch.setattr(needs, "FIXED", 64 * 2**20)
    monkeypatch.setattr(needs, "SLACK", 1.2)


@pytest.fixture(scope="module")
def network():
    return random_network("fcn8s-vgg16", width=1 / 8, hidden=32)


def test_what_fits_is_computed_whole(network):
    found = plan(network, (480, 640), "4GiB")
    assert found.kind == "whole" and found.exact and found.note == ""
    assert plan(network, (480, 640), "1GiB").kind == "whole"


def test_what_does_not_fit_is_computed_in_strips_that_do(network):
    found = plan(network, (6000, 4000), "300MiB")
    assert found.kind == "strips" and found.exact and found.columns == 4000
    assert 64 <= found.rows < 6000 and found.peak <= 300 * 2**20
    assert plan(network, (6000, 4000), "200MiB").rows < found.rows
    assert plan(network, (60000, 4000), "300MiB").rows == found.rows  # the height is no matter


def test_a_strip_that_is_too_wide_is_cut_into_bands(network):
    found = plan(network, (6000, 40000), "200MiB")
    assert found.kind == "strips" and found.columns < 40000 and found.peak <= 200 * 2**20
    assert len(band_executors(record_ops(network, (6000, 40000), weights=False), found)) > 1


def test_too_little_memory_is_refused_with_what_it_takes(network):
    size = (600, 6000)
    with pytest.raises(ConfigError, match=r"600 x 6000 takes this network at least .*") as caught:
        plan(network, size, "66MiB")
    said = re.search(r"at least ([\d.]+ MiB)", str(caught.value))[1]
    found = plan(network, size, said)
    assert found.rows < 64 and found.peak <= parse_bytes(said)
    assert found.peak == needs.peak(record_ops(network, size, weights=False), found)


def test_little_free_memory_is_no_reason_to_refuse(network, monkeypatch):
    monkeypatch.setattr(needs, "free_memory", lambda: 100 * 2**20)
    assert plan(network, (1500, 2000)).kind == "strips"


def test_scores_of_a_large_photo_count(network):
    small = plan(network, (300, 400), "600MiB")
    large = plan(network, (300, 400), "600MiB", answer=(6000, 8000))
    assert small.kind == "whole" and large.kind == "strips"
    assert large.answer == (6000, 8000) and large.result == (6000, 8000)
    assert plan(network, (300, 400), "600MiB", answer=(300, 400)).answer is None


def test_tiles_have_room_for_their_scores():
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


def test_a_network_is_looked_at_once(network, monkeypatch):
    plan(network, (3000, 3000), "300MiB")
    monkeypatch.setattr(needs, "_estimate", lambda *given: pytest.fail("it is known"))
    monkeypatch.setattr(trust, "_difference", lambda *given: pytest.fail("it is known"))
    assert plan(network, (3100, 3000), "300MiB").kind == "strips"


def test_planning_needs_no_numbers():
    with torch.device("meta"):
        network = lively_on_meta()
    assert plan(network, (20000, 30000), "4GiB").kind == "strips"


def lively_on_meta():
    import fullconv as fc

    network = fc.create_model("fcn8s-vgg16", 21).eval()
    network.normalize.to("meta")
    return network
