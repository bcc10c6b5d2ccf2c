"""An optimized network gives the same scores, and its weights are unchanged."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from fullconv.inference.cpu import optimize as optimize_module
from fullconv.inference.cpu import packed_conv as packing
from fullconv.inference.cpu.optimize import optimize, set_threads
from fullconv.inference.cpu.packed_conv import DirectConv, MatmulConv, WinogradConv
from fullconv.model import Model, load
from fullconv.networks.fcn import create_model
from fullconv.networks.padding.sparse import Borders

CLOSE = 1e-5  # relative to the largest score


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def network(name="fcn8s-vgg16", seed=0, **options):
    torch.manual_seed(seed)
    made = create_model(name, 4, **({"padding": 100, "width": 0.06, "hidden": 32} | options)).eval()
    for key, value in made.state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1.5) if "running_var" in key else nn.init.normal_(value)
    for layer in made.score_layers():
        nn.init.normal_(layer.weight)
    return made


def photo(height=40, width=57, seed=0, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator) * 255


def worst(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


NETWORKS = [
    *[(f"fcn{stride}s-vgg16", {}) for stride in (32, 16, 8, 4, 2)],
    ("fcn8s-vgg19_bn", {}),
    ("fcn8s-vgg11_bn", {"padding": "same"}),
    ("fcn4s-vgg13", {"fusing": "sum", "upsampling": "bilinear"}),
    ("fcn8s-vgg11", {"padding": "same", "upsampling": "unpooling"}),
    ("fcn32s-alexnet", {}),
]


@pytest.mark.parametrize("many", [1, 10**9], ids=["tiled", "direct"])
@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=str)
@torch.inference_mode()
def test_optimizing_keeps_the_scores(name, options, many, monkeypatch):
    monkeypatch.setattr(packing, "MANY", many)
    made = network(name, **options)
    images = [photo(), photo(1, 1), photo(40, 57, 1, batch=2), photo(33, 80)]
    expected = [made(image) for image in images]
    assert optimize(made)
    kinds = {type(layer) for layer in made.optimized_backbone.layers.modules()}
    assert {MatmulConv, WinogradConv if many == 1 else DirectConv} <= kinds
    for image, score in zip(images * 2, expected * 2, strict=True):
        assert worst(made(image), score) < CLOSE


def test_saving_and_copying_use_the_original_network(tmp_path):
    plain = Model(network("fcn8s-vgg11_bn"), ["a", "b", "c", "d"])
    plain.save(tmp_path / "plain.safetensors")
    names = list(plain.network.state_dict())
    assert plain.optimize() is plain
    plain.predict(np.zeros((20, 30, 3), np.uint8))
    plain.save(tmp_path / "optimized.safetensors")
    files = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("plain", "optimized")]
    assert files[0] == files[1] and list(plain.network.state_dict()) == names
    assert load(tmp_path / "optimized.safetensors").network.optimized_backbone is None
    assert copy.deepcopy(plain.network).optimized_backbone is None


def test_optimizing_keeps_the_labels():
    model = Model(network("fcn8s-vgg16_bn"), ["a", "b", "c", "d"])
    image = np.random.default_rng(0).integers(0, 256, (61, 90, 3), np.uint8)
    before = model.predict(image).labels
    assert len(np.unique(before)) > 1
    assert (model.optimize().predict(image).labels == before).all()


CHANGES = {
    "a step of training": lambda made: made.backbone.conv2_1.weight.detach().mul_(2),
    "other weights": lambda made: made.load_state_dict(network("fcn8s-vgg11_bn", 1).state_dict()),
    "a new tensor": lambda made: setattr(
        made.backbone.conv1_1, "weight", nn.Parameter(torch.randn(4, 3, 3, 3))
    ),
    "running statistics": lambda made: made.backbone.bn1_1.running_mean.add_(1),
}


@pytest.mark.parametrize("change", CHANGES)
@torch.no_grad()
def test_after_a_change_of_weights_the_original_layers_run(change):
    made, image = network("fcn8s-vgg11_bn"), photo()
    optimize(made)
    before = made(image)
    CHANGES[change](made)
    plain = copy.deepcopy(made)
    assert torch.equal(made(image), plain(image)) and not torch.equal(made(image), before)


def test_optimizing_does_not_change_training():
    made, other = network("fcn8s-vgg11_bn"), network("fcn8s-vgg11_bn")
    optimize(made)
    for one in (made.train(), other.train()):
        torch.manual_seed(0)
        one(photo()).square().mean().backward()
    for found, expected in zip(made.parameters(), other.parameters(), strict=True):
        assert (found.grad is None) == (expected.grad is None)
        assert found.grad is None or torch.equal(found.grad, expected.grad)


@torch.no_grad()
def test_hooks_are_called():
    made, calls = network("fcn8s-vgg11"), []
    optimize(made)
    made.backbone.relu3_1.register_forward_hook(lambda *_: calls.append(1))
    made(photo())
    assert calls == [1]


@torch.no_grad()
def test_constant_borders_are_cached_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(optimize_module, "LAYOUTS", 3)
    made = network("fcn32s-vgg11")
    optimize(made)
    expected = {side: copy.deepcopy(made)(photo(side, side)) for side in range(20, 30)}
    for side in [*expected, *expected]:
        assert worst(made(photo(side, side)), expected[side]) < CLOSE
        assert 1 <= len(made.optimized_backbone.borders) <= 3
    assert len({id(made.optimized_backbone.borders)}) == 1


def test_the_border_used_longest_ago_is_forgotten_first():
    borders, keys = Borders(2), [((number,) * 3,) for number in range(3)]
    for key in (keys[0], keys[1], keys[0], keys[2]):
        borders.of(key)["conv1_1"] = torch.zeros(1)
    assert len(borders) == 2 and borders.of(keys[0]) and borders.of(keys[2])
    assert not borders.of(keys[1])


def test_networks_that_cannot_be_optimized_are_unchanged():
    assert not optimize(network("fcn8s-vgg11").double())
    assert not optimize(nn.Conv2d(3, 4, 3))
    made = network("fcn8s-vgg11_bn")
    made.backbone.bn1_1.running_mean = made.backbone.bn1_1.running_var = None
    assert not optimize(made) and made.optimized_backbone is None


def test_threads_are_limited_to_the_cores_unless_set(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(optimize_module, "usable_cores", lambda: 1)
    assert set_threads() == 1
    torch.set_num_threads(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert set_threads() == 2


@pytest.mark.parametrize("name", ["fcn8s-resnet18", "fcn16s-mobilenet_v2", "fcn32s-regnetx_002"])
@torch.inference_mode()
def test_optimizing_keeps_the_scores_of_other_backbones(name):
    if "regnetx" in name:
        pytest.importorskip("timm")
    made = network(name, padding="same", width=1.0, hidden=None)
    images = [photo(), photo(1, 1), photo(33, 80, batch=2)]
    expected = [made(image) for image in images]
    assert optimize(made) and made.optimized_backbone.can_run(images[0], [made.top])
    norms = [
        layer
        for layer in made.optimized_backbone.layers.modules()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    assert not norms
    for image, score in zip(images, expected, strict=True):
        assert not torch.equal(made(image), score), "rounding differs"
        assert worst(made(image), score) < CLOSE


def test_an_optimized_backbone_is_not_used_after_changes():
    made = network("fcn32s-resnet18", padding="same", width=1.0, hidden=None)
    assert optimize(made)
    with torch.no_grad():
        can_run = lambda: made.optimized_backbone.can_run(photo(), [made.top])  # noqa: E731
        assert can_run()
        hook = made.backbone.get_submodule("conv1").register_forward_hook(lambda *_: None)
        assert not can_run(), "a layer has a hook"
        hook.remove()
        made.backbone.get_submodule("conv1").weight.mul_(2)
        assert not can_run(), "a weight has changed"


def test_a_backbone_whose_optimized_features_differ_is_not_optimized(monkeypatch):
    def broken(backbone, image):
        made = copy.deepcopy(backbone)
        with torch.no_grad():
            made.get_submodule("conv1").weight.mul_(1.01)
        return made

    monkeypatch.setattr(optimize_module, "fuse_batch_norms", broken)
    made = network("fcn32s-resnet18", padding="same", width=1.0, hidden=None)
    assert not optimize(made) and made.optimized_backbone is None
