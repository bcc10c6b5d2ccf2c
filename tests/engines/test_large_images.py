"""Images larger than an engine has memory for: computed in stages, equal to PyTorch's whole."""

import numpy as np
import pytest
import torch

import fullconv as fc
from engine_doubles import install_doubles
from fullconv.engines import cache, choose, window_costs
from fullconv.engines.choose import choose_engine
from fullconv.engines.staged import open_staged
from fullconv.engines.window_costs import measure_costs
from fullconv.errors import ExportError
from fullconv.inference.planner import engine_windows, plan, windows
from fullconv.inference.planner.windows import FIXED, Geometry, divide_stages
from fullconv.inference.runtimes.onnx import run_onnx_stage
from fullconv.inference.runtimes.openvino import run_openvino_stage
from fullconv.inference.scores_in_windows import whole_scores
from random_networks import photo, random_network

SIZE = (301, 707)
NETWORKS = [
    ("fcn8s-vgg11", {"padding": 100, "width": 1 / 32, "hidden": 4}),
    ("fcn8s-vgg11_bn", {"width": 1 / 32, "hidden": 4, "upsampling": "bilinear"}),
    ("fcn4s-resnet18", {}),
    ("fcn4s-convnext_atto", {}),
    ("fcn8s-mobilenetv3_small_050", {}),
]


@pytest.fixture
def doubles(monkeypatch, tmp_path):
    monkeypatch.setattr(windows, "MOST_WORK", 9)  # the images are small
    return install_doubles(monkeypatch, tmp_path)


def small_memory(staged, size, share):
    """Return the bytes that the maps between stages take, and a share of the largest stage's."""
    grids = Geometry.of(staged.network, size, allow_global=True).grids
    kept = max(sum(4 * np.prod(grids[i].value.shape) for i in s.kept) for s in staged.stages)
    return FIXED + int(kept + share * max(s.pixel_bytes for s in staged.stages) * np.prod(size))


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_stages_in_windows_give_pytorchs_scores_of_the_whole_image(name, settings, monkeypatch):
    monkeypatch.setattr(windows, "MOST_WORK", 9)
    network = random_network(name, **settings)
    image = torch.from_numpy(photo(*SIZE)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        whole = network(image)
        staged = open_staged(network, run_onnx_stage)
        division = divide_stages(staged, SIZE, small_memory(staged, SIZE, 0.35))
        assert max(parts.count for parts in division.windows) > 2
        found = whole_scores(network, image, division)
    assert (found - whole).abs().max() <= 1e-5 * whole.abs().max()
    assert float((found.argmax(1) != whole.argmax(1)).float().mean()) < 1e-4  # ties


def test_openvino_computes_stages_too():
    pytest.importorskip("openvino")
    network = random_network("fcn8s-mobilenetv3_small_050")
    image = torch.from_numpy(photo(97, 161)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        whole = network(image)
        staged = open_staged(network, run_openvino_stage)
        found = whole_scores(network, image, divide_stages(staged, (97, 161), 2**40))
    assert (found - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_networks_with_pooled_gates_are_exact_in_an_engine(doubles):
    """PyTorch would blend tiles, which are not: a gate is a mean over the whole image."""
    network, image = random_network("fcn8s-mobilenetv3_small_050"), photo(*SIZE)
    model = fc.Model(network, list("abcd"))
    whole = model.predict(image, memory="8GiB", scores=True)
    choose_engine(network, "onnx")
    network.engine.most_pixels = SIZE[0] * SIZE[1] // 2
    assert model.engine_takes(SIZE)
    found = model.predict(image, scores=True)
    assert found.plan.kind == "windows" and found.plan.exact and not found.note
    assert (found.score - whole.score).abs().max() <= 1e-5 * whole.score.abs().max()
    with torch.no_grad():
        network.score_fr.bias += 1
    assert engine_windows(network, SIZE) is None, "the stages have the former weights"


def test_an_engine_that_is_chosen_again_has_stages_with_the_weights_of_then(doubles):
    network, image = random_network("fcn8s-mobilenetv3_small_050"), photo(*SIZE)
    model = fc.Model(network, list("abcd"))
    for _ in range(2):
        with torch.no_grad():
            network.score_fr.bias[0] += 1
        network.engine = None
        whole = model.predict(image, memory="8GiB", scores=True)
        choose_engine(network, "onnx", most_pixels=SIZE[0] * SIZE[1] // 2)
        found = model.predict(image, scores=True)
        assert found.plan.kind == "windows" and found.plan.windows.compute
        assert (found.score - whole.score).abs().max() <= 1e-5 * whole.score.abs().max()


def test_the_way_that_was_measured_to_be_fastest_is_taken(doubles):
    network, size = random_network("fcn8s-vgg11", width=1 / 32, hidden=4), (150, 1201)

    def chosen(**seconds):
        doubles.pixel_seconds |= seconds
        for path in cache.engine_cache().rglob("*.onnx.json"):
            path.unlink()
        choose_engine(network, "onnx", most_pixels=150 * 900)
        division = engine_windows(network, size)
        return "strips" if division is None else "stages" if division.compute else "windows"

    assert chosen(whole=1.0, stages=90.0, strips=900.0) == "windows"
    assert chosen(whole=1.0, stages=0.1, strips=900.0) == "stages"
    assert chosen(whole=1.0, stages=1.0, strips=0.1) == "strips"
    assert plan(network, size).kind == "whole", "by PyTorch, which has the memory"


def test_windows_are_measured_once_for_a_network_and_a_machine(doubles):
    network = random_network("fcn4s-resnet18")
    for _ in range(2):
        choose_engine(network, "onnx", most_pixels=SIZE[0] * SIZE[1] // 2)
        assert engine_windows(network, SIZE) is not None
        assert engine_windows(network, (SIZE[1], SIZE[0])) is not None
    assert doubles.timed == 1
    assert len(cache.list_cache()) == 1 and not cache.list_cache()[0].measured


def test_other_scores_of_stages_are_refused():
    def wrong(content):
        run = run_onnx_stage(content)
        return lambda inputs: [1.1 * array for array in run(inputs)]

    with pytest.raises(ExportError, match="scores differ from PyTorch's"):
        open_staged(random_network("fcn8s-vgg11", width=1 / 32, hidden=4), wrong)


def test_stages_that_crash_are_left_to_pytorch(doubles, monkeypatch):
    def crash(inputs):
        raise RuntimeError("no kernel of this kind")

    monkeypatch.setattr(choose, "_STAGE_OPENERS", {"onnx": lambda content: crash})
    network = random_network("fcn8s-vgg11", width=1 / 32, hidden=4)
    choose_engine(network, "onnx")
    staged, costs = network.engine.large.prepare()
    assert staged is None and not costs.stages


class Clock:
    """A clock that only advances by what is computed."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_costs_follow_the_clock(monkeypatch):
    clock, images = Clock(), []
    monkeypatch.setattr(window_costs, "_run_strips", lambda *_: advance(5e-6, 0.0))

    def advance(pixel, window, pixels=1.0):
        clock.now += window + pixel * pixels

    def run(image):
        images.append(image.shape)
        advance(2e-6, 0.01, image.shape[2] * image.shape[3])
        return image

    network = random_network("fcn8s-vgg11", width=1 / 32, hidden=4)
    staged = open_staged(network, run_onnx_stage)
    count = len(staged.stages)

    def compute(stage, maps, shape_of):
        height, width = shape_of(0)[-2:]
        advance(1e-6 * (stage + 1), 0.001, height * width)
        return original(stage, maps, shape_of)

    original = staged.compute
    staged = windows.StagedNetwork(staged.network, staged.stages, compute)
    found = measure_costs(network, run, staged, clock)
    assert found.whole == pytest.approx((0.01, 2e-6))
    assert [cost.pixel for cost in found.stages] == pytest.approx(
        [1e-6 * (stage + 1) for stage in range(count)]
    )
    assert [cost.window for cost in found.stages] == pytest.approx([0.001] * count)
    assert found.strips == pytest.approx(5e-6 / (images[-1][2] * images[-1][3]))
    assert clock.now < 3  # of the seconds of these slow engines
