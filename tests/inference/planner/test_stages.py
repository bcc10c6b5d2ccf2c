"""Stages and their windows: little work at any size, within the memory, for every family."""

from dataclasses import replace
from math import prod

import pytest

import fullconv as fc
from fullconv.conversion.stage_graphs import staged_graphs
from fullconv.inference.planner import windows
from fullconv.inference.planner.windows import (
    FIXED,
    Cost,
    StagedNetwork,
    divide,
    divide_stages,
)
from fullconv.networks.fcn.uninitialized import SkipInitialization

PHOTO = (3000, 4000)
# The bytes per pixel of the photo; as one stage each of the networks takes at least twice as many.
FAMILIES = {
    "fcn8s-vgg16": (600, {"padding": 100, "hidden": 64}),
    "fcn4s-resnet18": (120, {}),
    "fcn4s-convnext_atto": (120, {}),
    "fcn4s-tf_efficientnet_lite0": (120, {}),
    "fcn4s-mobilenetv3_small_100": (120, {}),
    "fcn4s-efficientnet_b0": (120, {}),
}


def staged_network(name, **settings):
    with SkipInitialization():
        network = fc.create_model(name, 11, **settings).eval()
    made = staged_graphs(network)
    return StagedNetwork(made.network, made.stages, lambda *_: ())


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_computes_a_photo_of_12_megapixels_with_little_more_work(name):
    pixel_bytes, settings = FAMILIES[name]
    staged, memory = staged_network(name, **settings), pixel_bytes * prod(PHOTO)
    found = divide_stages(staged, PHOTO, memory)
    total = sum(stage.work for stage in staged.stages)
    computed = 0.0
    for stage, parts in zip(found.stages, found.windows, strict=True):
        areas = [prod(end - first for first, end in read) for _, read in parts]
        computed += stage.work / total * sum(areas) / prod(PHOTO)
        assert stage.pixel_bytes * max(areas) <= memory
        assert sum(prod(end - first for first, end in wanted) for wanted, _ in parts) == prod(PHOTO)
    assert found.work == pytest.approx(computed) and 1 <= computed <= 1.35
    assert found.peak <= memory < max(s.pixel_bytes for s in staged.stages) * prod(PHOTO)


def test_what_is_computed_of_the_whole_image_is_a_stage_of_its_own():
    staged = staged_network("fcn8s-mobilenetv3_small_050")
    found = divide_stages(staged, PHOTO, 2**40)
    alone = [stage for stage in found.stages if stage.is_global]
    assert len(alone) == 9  # its squeeze-and-excitation blocks
    assert sum(stage.work for stage in alone) < 0.02 * sum(stage.work for stage in found.stages)
    assert divide(staged.network, PHOTO, 2**40, 1) is None, "as one stage it has no parts"


def test_maps_between_stages_are_small_and_each_value_is_made_once():
    staged = staged_network("fcn4s-resnet18")
    found = divide_stages(staged, PHOTO, 2**40)
    made = [index for stage in found.stages for index in stage.made]
    assert len(made) == len(set(made)) and len(found.stages) > 3
    for number, stage in enumerate(found.stages):
        earlier = {0}.union(*(before.outputs for before in found.stages[:number]))
        assert earlier.issuperset(stage.inputs)
        kept = sum(prod(found.grids[index].value.shape) * 4 for index in stage.kept)
        assert kept / prod(PHOTO) <= 2 * 48


def test_windows_are_as_many_as_what_was_measured_makes_cheapest():
    staged = staged_network("fcn8s-vgg11", width=1 / 32, hidden=4)
    cheap = [Cost(0, stage.work) for stage in staged.stages]
    memory = FIXED + 14 * prod(PHOTO)

    def counts(costs):
        made = replace(staged, costs=tuple(costs))
        found = divide_stages(made, PHOTO, memory)
        return [parts.count for parts in found.windows], found.seconds

    by_pixels, least = counts(cheap)
    dear = [Cost(1e15, cost.pixel) for cost in cheap]
    by_count, seconds = counts(dear)
    assert sum(by_count) < sum(by_pixels), "fewer windows with larger surroundings"
    assert least < seconds == pytest.approx(1e15 * sum(by_count), rel=1e-2)


def test_a_division_that_costs_too_much_is_none(monkeypatch):
    staged = staged_network("fcn4s-convnext_atto")
    memory = 60 * prod(PHOTO)
    assert divide_stages(staged, PHOTO, memory) is not None
    monkeypatch.setattr(windows, "MOST_WORK", 1.001)
    assert divide_stages(staged, PHOTO, memory) is None
    assert divide_stages(staged, PHOTO, FIXED) is None, "the maps between stages take more"
