"""The memory of a network follows from its feature maps; tiles are as large as fits."""

from pathlib import Path

import pytest

from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.exported_network import ExportedNetwork
from fullconv.inference.planner import Plan, peak
from fullconv.inference.planner import memory_cost as needs
from fullconv.inference.planner.memory_cost import (
    NetworkCost,
    largest_tile,
    network_cost,
    tile_memory,
)
from fullconv.inference.runtimes.description import Description
from fullconv.inference.streaming.graph import record_ops
from fullconv.networks.fcn import create_model
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


def test_the_estimate_grows_with_the_feature_maps(network):
    steps = record_ops(network, (2000, 1000), weights=False)
    low, high = (peak(steps, Plan("strips", True, (2000, 1000), r, 1000)) for r in (128, 512))
    # conv1_2: eight maps of four bytes, in and out, and once more in blocks of sixteen.
    slope = (high - low) / (512 - 128) / 1000
    assert 2 * 8 * 4 <= slope <= 6 * 8 * 4


def test_the_memory_per_pixel_covers_the_widest_maps(network):
    facts = network_cost(network, 3)
    assert facts.classes == 4 and facts.refusal == ""
    assert network_cost(network, 3) is facts, "it is cached"
    # The widest maps are conv1's: eight channels of four bytes, in and out.
    assert facts.per_pixel >= 2 * 8 * 4


@pytest.mark.parametrize("budget", [2**28, 2**30, 10**10])
def test_the_largest_tile_fits_and_the_next_larger_one_does_not(budget):
    facts = NetworkCost(per_pixel=100.0, classes=21, refusal="it looks at the whole image")
    side = largest_tile(facts, budget)
    assert tile_memory(facts, side) <= budget < tile_memory(facts, side + 1)


def exported(network, **changes):
    facts = {
        "fullconv": "1",
        "classes": tuple("abcd"),
        "palette": ((0, 0, 0),) * 4,
        "protocol": "",
        "architecture": network.architecture,
        "normalization": network.normalization,
    }
    file = ExportedFile(Path("m.onnx"), lambda image: image, Description(**(facts | changes)))
    return ExportedNetwork(file)


def test_an_exported_file_takes_what_its_layers_take():
    made = create_model("fcn8s-vgg16", 4, width=1 / 8, hidden=32)
    layers, found = network_cost(made, 3), network_cost(exported(made), 3)
    assert found.per_pixel == pytest.approx(layers.per_pixel - needs.FIXED / needs.SIDE**2)
    assert found.per_pixel >= 2 * 8 * 4, "more than its scores"
    assert found.classes == 4 and "computes whole images only" in found.refusal


@pytest.mark.parametrize("name", [None, "fcn8s-unheard_of"])
def test_an_exported_file_of_unknown_layers_takes_more_than_most(name):
    made = create_model("fcn8s-vgg16", 4, width=1 / 8, hidden=32)
    other = made.architecture.model_copy(update={"name": name}) if name else None
    found = network_cost(exported(made, architecture=other), 3)
    assert found.per_pixel == needs.UNKNOWN and found.classes == 4
