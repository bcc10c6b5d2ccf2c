"""An engine's windows cover an image once, and give the scores of the whole."""

import numpy as np
import pytest
import torch

import export_models
import fullconv as fc
from engine_doubles import install_doubles
from fullconv.engines.choose import choose_engine
from fullconv.errors import MemoryBudgetError
from fullconv.inference.planner import plan, windows
from fullconv.inference.planner.windows import FIXED, divide, engine_windows
from fullconv.inference.tiling import stream
from random_networks import photo, random_network


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Let a copy of the network be its engine, for images of up to 150 x 900 pixels."""
    install_doubles(monkeypatch, tmp_path)
    monkeypatch.setattr(windows, "MOST_WORK", 4)  # receptive fields are large for small images

    def choose(network):
        choose_engine(network, "onnx", most_pixels=150 * 900)
        return network

    return choose


@pytest.mark.parametrize("size", [(6000, 8000), (4001, 3003)])
def test_windows_cover_an_image_once_with_their_surroundings(size):
    found = divide(export_models.network(), size, FIXED + 12_000_000, pixel_bytes=1)
    assert 1 < found.work <= windows.MOST_WORK
    assert found.largest[0] * found.largest[1] <= 12_000_000
    (only,) = found.windows
    for spans, side in ((only.rows, size[0]), (only.columns, size[1])):
        ends = [0, *(end for _, end in spans)]
        assert [first for first, _ in spans] == ends[:-1] and ends[-1] == side
    for wanted, read in only:
        for axis in (0, 1):
            assert read[axis][0] % 32 == 0 and read[axis][0] <= wanted[axis][0]
            assert wanted[axis][1] <= read[axis][1] <= size[axis]


def test_no_division_costs_more_than_the_bound():
    assert divide(export_models.network(), (6000, 8000), FIXED + 1_000_000, pixel_bytes=1) is None


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fcn8s-vgg11", {"padding": 100, "width": 1 / 32, "hidden": 4}),
        ("fcn8s-vgg11_bn", {"width": 1 / 32, "hidden": 4, "upsampling": "bilinear"}),
        ("fcn4s-resnet18", {}),
    ],
)
def test_scores_equal_those_of_the_whole_image(engine, name, settings):
    network, image = random_network(name, **settings), photo(150, 1201)
    model = fc.Model(network, [str(number) for number in range(4)])
    whole = model.predict(image)
    engine(network)
    found = model.predict(image, scores=True)
    assert found.plan.kind == "windows" and found.plan.exact and not found.note
    assert (found.score - whole.score).abs().max() <= 2e-6 * whole.score.abs().max()
    assert np.mean(found.labels == whole.labels) > 0.999  # ties
    assert model.engine_takes(image.shape)


@pytest.mark.parametrize("most_pixels", [None, 80 * 900])
def test_a_plan_outlives_its_engine(engine, most_pixels):
    """Another thread may call `optimize` between the planning and the computation."""
    network, image = random_network("fcn8s-vgg11", width=1 / 32, hidden=4), photo(150, 1201)
    whole = fc.Model(network, list("abcd")).predict(image)
    planned = plan(engine(network), image.shape[:2])
    assert planned.kind == "windows"
    if most_pixels is None:
        network.engine = None
    else:
        choose_engine(network, "onnx", most_pixels=most_pixels)
    labels = np.full(image.shape[:2], 255, np.uint8)
    for part in stream(network, lambda at: image[at.slices], planned):
        labels[part.window.slices] = part.labels
    assert np.mean(labels == whole.labels) > 0.999  # ties


def test_scaled_images_are_enlarged_from_the_windows_scores(engine):
    network, image = random_network("fcn8s-vgg11", width=1 / 32, hidden=4), photo(300, 2402)
    model = fc.Model(network, list("abcd"), input_scale=0.5)
    whole = model.predict(image, scores=True)
    engine(network)
    found = model.predict(image, scores=True)
    assert found.plan.kind == "windows"
    assert (found.score - whole.score).abs().max() <= 1e-5 * whole.score.abs().max()


def test_what_depends_on_the_whole_image_has_no_windows(engine):
    network = random_network("fcn8s-vgg11", width=1 / 32, upsampling="bilinear-corners")
    assert engine_windows(engine(network), (150, 1200)) is None
    assert plan(network, (150, 1200)).kind == "whole"


def test_any_rows_alone_are_left_to_pytorch_and_memory_is_kept_to(engine):
    network = engine(random_network("fcn8s-vgg11", width=1 / 32))
    assert plan(network, (150, 1201)).kind == "windows"
    assert plan(network, (150, 1201), whole_width=True).kind == "whole"
    least = plan(network, (150, 1201)).peak
    assert plan(network, (150, 1201), least).kind == "windows"
    with pytest.raises(MemoryBudgetError):  # PyTorch's strips take more for so small a network
        plan(network, (150, 1201), least - 1)


def test_changed_weights_are_computed_by_the_layers(engine):
    network = engine(random_network("fcn8s-vgg11", width=1 / 32, hidden=4))
    model, image = fc.Model(network, list("abcd")), photo(150, 1201)
    with torch.no_grad():
        network.score_fr.bias += 1
    changed = model.predict(image, scores=True)
    network.engine = None
    whole = model.predict(image, scores=True)
    assert (changed.score - whole.score).abs().max() <= 2e-6 * whole.score.abs().max()
