"""The windows of a raster fit the memory, at little more than the work of the whole."""

import pytest
import torch

import export_models
from engine_doubles import install_doubles
from fullconv.engines.choose import choose_engine
from fullconv.inference.planner import plan_raster, raster_windows, window_counts, windows
from fullconv.inference.planner.rasters import READ_BYTES
from random_networks import random_network

GIB = 2**30


@pytest.fixture
def made(monkeypatch, tmp_path):
    return install_doubles(monkeypatch, tmp_path)


@pytest.fixture
def network(made):
    found = export_models.network()
    choose_engine(found, "onnx", most_pixels=64 * 10**6)
    return found


@pytest.mark.parametrize("size", [(9001, 12003), (400_000, 9000), (700, 90_000)])
def test_memory_does_not_grow_with_the_raster(network, size):
    found = plan_raster(network, size, GIB, held=2**20)
    assert found.kind == "windows" and found.exact and found.peak <= GIB
    (parts,) = found.windows.windows
    for spans, side in ((parts.rows, size[0]), (parts.columns, size[1])):
        ends = [0, *(end for _, end in spans)]
        assert [first for first, _ in spans] == ends[:-1] and ends[-1] == side
    height, width = found.windows.largest
    pixel_bytes = max(READ_BYTES, network.engine.pixel_bytes)
    labels = parts.rows[0][1] * size[1]
    assert height * width * pixel_bytes + labels + 2**20 <= found.peak
    assert 1 < found.windows.work <= windows.MOST_WORK


def test_windows_are_as_few_as_the_memory_allows(network):
    size = (9000, 9000)
    counts = [
        window_counts(plan_raster(network, size, memory).windows)
        for memory in (10 * GIB, 3 * GIB, GIB)
    ]
    assert counts[0] == (2, 1)  # the engine takes 64 megapixels, the raster has 81
    assert counts == sorted(counts) and len(set(counts)) == 3
    assert window_counts(plan_raster(network, (7000, 8000), 20 * GIB).windows) == (1, 1)


def test_the_windows_of_a_begun_raster_are_made_again(network):
    found = plan_raster(network, (9001, 7003), GIB).windows
    again = raster_windows(network, (9001, 7003), window_counts(found))
    assert again.windows == found.windows and again.largest == found.largest


def test_pytorch_keeps_rasters_whose_windows_cost_more(network, made):
    size = (9000, 9000)
    assert plan_raster(network, size, GIB) is not None
    assert plan_raster(network, size, GIB // 40) is None, "the surroundings take nearly all of it"
    assert plan_raster(network, (31, 9000), GIB) is None, "an engine does not compute so few rows"
    with torch.no_grad():
        network.score_fr.bias += 1
    assert plan_raster(network, size, GIB) is None, "the engine has the former weights"
    network.engine = None
    assert plan_raster(network, size, GIB) is None
    other = random_network("fcn8s-vgg11", width=1 / 32, hidden=4)
    made.pixel_seconds["strips"] = 1.01  # of the windows' 1.0
    choose_engine(other, "onnx", most_pixels=64 * 10**6)
    assert plan_raster(other, size, GIB) is None


def test_a_mean_over_the_image_has_no_windows(made):
    network = random_network("fcn8s-mobilenetv3_small_050")
    choose_engine(network, "onnx", most_pixels=10**6)
    assert plan_raster(network, (9000, 9000), GIB) is None
