"""Sparse padding equals computing all of the padding."""

import random
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fullconv.networks.fcn import create_model
from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding import sparse

RAW = {"mean": (0, 0, 0), "std": (1, 1, 1)}
CASCADE = (("pool4", "upscore2", 5), ("pool3", "upscore_pool4", 9))
EXACT = 1e-12  # of the largest score, in double precision: rounding is far below
GRADIENT = 1e-5  # of the largest of its tensor


def network(name="fcn8s-vgg16", classes=3, seed=0, **options):
    """Build a network in which the border, the constant value and the image all matter."""
    torch.manual_seed(seed)
    options = {"padding": 100, "width": 0.04, "hidden": 8} | RAW | options
    made = create_model(name, classes, **options).eval().double()
    for key, value in made.state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1.5) if "running_var" in key else nn.init.normal_(value)
    for layer in made.score_layers():
        nn.init.normal_(layer.weight)
    return made


def photo(height, width, batch=1, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.rand(batch, 3, height, width, generator=generator, dtype=dtype) - 2


def literally(made, image):
    made.sparse_padding = False
    score = made(image)
    made.sparse_padding = True
    return score


def worst(found, expected):
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def by_hand(state, image):
    """Compute FCN-8s on VGG-16 literally: 100 zeros, convolutions, poolings, the authors' crops."""
    x, pools = F.pad(image, [100] * 4), {}
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, count + 1):
            weight, bias = (state[f"backbone.conv{block}_{number}.{n}"] for n in ("weight", "bias"))
            x = F.conv2d(x, weight, bias, padding=0 if (block, number) == (1, 1) else 1).relu()
        x = pools[f"pool{block}"] = F.max_pool2d(x, 2, ceil_mode=True)
    for layer in ("fc6", "fc7"):
        x = F.conv2d(x, *(state[f"backbone.{layer}.{n}"] for n in ("weight", "bias"))).relu()
    score = F.conv2d(x, state["score_fr.weight"], state["score_fr.bias"])
    for skip, up, offset in CASCADE:
        score = F.conv_transpose2d(score, state[f"{up}.weight"], stride=2)
        fine = F.conv2d(pools[skip], *(state[f"score_{skip}.{n}"] for n in ("weight", "bias")))
        score = score + fine[..., offset:, offset:][..., : score.shape[2], : score.shape[3]]
    score = F.conv_transpose2d(score, state["upscore8.weight"], stride=8)
    return score[..., 31:, 31:][..., : image.shape[2], : image.shape[3]]


DRAW = random.Random(7)
SIZES = [(1, 1), (1, 90), (2, 3), (16, 17), (31, 33), (64, 48)]
SIZES += [(DRAW.randint(1, 140), DRAW.randint(1, 140)) for _ in range(12)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@torch.no_grad()
def test_the_papers_network_at_any_size(size):
    made = network()
    image = photo(*size, batch=1 + size[0] % 2)
    assert worst(made(image), by_hand(made.state_dict(), image)) < EXACT


@pytest.mark.parametrize("size", [(1, 1), (40, 97), (128, 128)], ids=str)
@torch.no_grad()
def test_in_single_precision_the_error_is_that_of_rounding(size):
    """Against double precision, the error is at most twice the literal network's own, and 1 ulp."""
    made, images = (
        network(classes=21, width=0.25, hidden=256).float(),
        photo(*size, batch=4).float(),
    )
    state = made.state_dict()
    exact = by_hand({name: value.double() for name, value in state.items()}, images.double())
    rounding = worst(by_hand(state, images).double(), exact)
    ulp = torch.finfo(torch.float32).eps
    assert worst(made(images).double(), exact) <= 2 * rounding + ulp
    assert worst(literally(made, images).double(), exact) <= 2 * rounding + ulp


WAYS = [
    *[(f"fcn{stride}s-vgg16", {}) for stride in (32, 16, 8, 4, 2)],
    *[(f"fcn8s-vgg{depth}{norm}", {}) for depth in (11, 13, 19) for norm in ("", "_bn")],
    *[("fcn8s-vgg16_bn", {"fusing": way}) for way in ("cascade", "sum")],
    ("fcn4s-vgg16", {"upsampling": "bilinear"}),
    ("fcn8s-vgg16", {"upsampling": "bilinear", "fusing": "sum"}),
    ("fcn8s-vgg16", {"learn_upsampling": True, "skip_scales": (0.01, 0.0001)}),
    ("fcn8s-vgg16", {"padding": 97}),
    ("fcn8s-vgg16", {"padding": 130, "mean": (120, 110, 100), "std": (60, 50, 40)}),
    ("fcn32s-alexnet", {}),
]


@pytest.mark.parametrize(("name", "options"), WAYS, ids=str)
@torch.no_grad()
def test_every_network_has_the_scores_of_the_literal_padding(name, options):
    made = network(name, **options)
    for size in ((1, 1), (37, 70)):
        image = photo(*size, batch=2)
        assert worst(made(image), literally(made, image)) < EXACT


def gradients(made, image, target):
    torch.manual_seed(3)  # for the dropout
    made.zero_grad()
    image = image.clone().requires_grad_()
    score = made(image)
    F.cross_entropy(score, target).backward()
    found = {key: value.grad for key, value in made.named_parameters() if value.grad is not None}
    buffers = {key: value.clone() for key, value in made.named_buffers()}
    return found | {"image": image.grad, "score": score.detach()}, buffers


@pytest.mark.parametrize(
    "name", ["fcn8s-vgg16", "fcn8s-vgg16_bn", "fcn4s-vgg11_bn", "fcn32s-vgg19"]
)
@pytest.mark.parametrize("size", [(1, 1), (45, 30), (96, 64)], ids=str)
def test_a_training_step_has_the_same_gradients(name, size):
    """Batch norm included: its mean and variance are those of the whole padded map."""
    made = network(name).train()
    image = photo(*size, batch=2)
    target = torch.randint(3, (2, *size), generator=torch.Generator().manual_seed(1))
    state = {key: value.clone() for key, value in made.state_dict().items()}
    quick, quick_buffers = gradients(made, image, target)
    made.load_state_dict(state)
    made.sparse_padding = False
    slow, slow_buffers = gradients(made, image, target)
    assert quick.keys() == slow.keys() and len(quick) > 20
    # A bias before a batch norm has no gradient but for rounding.
    largest = max(value.abs().max() for key, value in slow.items() if key != "score")
    for key in slow:
        rounding = "_bn" in name and "backbone.conv" in key and key.endswith("bias")
        scale = 1e-3 * largest if rounding else slow[key].abs().max()
        assert (quick[key] - slow[key]).abs().max() <= GRADIENT * scale, key
    for key in slow_buffers:
        torch.testing.assert_close(quick_buffers[key], slow_buffers[key])
    moved = [key for key in slow_buffers if "running" in key]
    assert all(not torch.equal(slow_buffers[key], state[key]) for key in moved)
    assert bool(moved) == ("bn" in name)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_batch_norm_updates_its_running_statistics_as_pytorch_does(momentum):
    made = network("fcn32s-vgg11_bn").train()
    other = network("fcn32s-vgg11_bn").train()
    other.sparse_padding = False
    for one in (made, other):
        for layer in one.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
                layer.reset_running_stats()
        for seed in range(3):
            one(photo(20, 33, seed=seed))
    for (key, found), expected in zip(made.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(found, expected, msg=key)


@torch.no_grad()
def test_batch_norm_without_running_statistics():
    made = network("fcn32s-vgg11_bn")
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = layer.running_var = None
    image = photo(40, 33)
    assert worst(made(image), literally(made, image)) < EXACT


@pytest.mark.parametrize("part", ["constant", "border", "core"])
@torch.no_grad()
def test_each_part_matters(part, monkeypatch):
    """A wrong constant value, no border, or a core that is one pixel off is a large error."""
    made, image = network(), photo(64, 48)
    expected = literally(made, image)
    if part == "constant":
        monkeypatch.setattr(
            sparse.SparseMap, "constant", property(lambda self: 0 * self.border[..., :1, :1])
        )
    elif part == "border":
        expand_border = sparse.SparseMap.expand_border

        def without(self, height, width):
            return expand_border(self, height, width) * 0 + self.constant

        monkeypatch.setattr(sparse.SparseMap, "expand_border", without)
    else:
        paste = sparse._paste

        def off(around, core, top, left):
            return paste(around, core, max(0, top - 1), left)

        monkeypatch.setattr(sparse, "_paste", off)
    assert worst(made(image), expected) > 1e-3


@torch.no_grad()
def test_any_feature_is_the_full_map():
    made, image = network(), photo(33, 50)
    names = [name for name, _ in made.backbone.named_children()]
    found, expected = (
        sparse.features(made.backbone, image, names),
        made.backbone.features(image, names),
    )
    assert found.keys() == expected.keys()
    for name in names:
        assert found[name].shape == expected[name].shape
        assert worst(found[name], expected[name]) < EXACT


@torch.no_grad()
def test_random_convolutions_and_poolings():
    """Strides, dilation, groups, and overlapping and uneven poolings."""
    draw = random.Random(5)
    for trial in range(30):
        torch.manual_seed(trial)
        layers = [("conv0", nn.Conv2d(3, 4, draw.choice([3, 5, 11]), draw.randint(1, 3), 60))]
        for number in range(1, draw.randint(3, 7)):
            size = draw.randint(1, 4)
            padding = draw.randint(0, size // 2)
            if draw.random() < 0.5:
                ceil = draw.random() < 0.5
                layer = nn.MaxPool2d(size, draw.randint(1, size), padding, ceil_mode=ceil)
            else:
                options = {"dilation": draw.randint(1, 2), "groups": draw.choice([1, 2, 4])}
                layer = nn.Conv2d(4, 4, size, 1, padding, **options)
            layers += [(f"layer{number}", layer), (f"relu{number}", nn.LeakyReLU())]
        chain = NamedSequential(layers).double()
        image = photo(draw.randint(1, 50), draw.randint(1, 50))
        names = [name for name, _ in layers]
        try:
            expected = chain.features(image, names)
        except RuntimeError:  # a map became smaller than a kernel
            continue
        found = sparse.features(chain, image, names)
        for name in names:
            torch.testing.assert_close(found[name], expected[name], msg=f"{trial} {name}")


@pytest.mark.parametrize(("side", "share"), [(256, 0.58), (500, 0.71)])
def test_the_multiplications_that_remain(side, share):
    """As PyTorch counts them."""
    with torch.device("meta"):
        backbone = create_model("fcn8s-vgg16", 21, padding=100).backbone
        image = torch.zeros(1, 3, side, side)
    counted = []
    for features in (partial(sparse.features, backbone), backbone.features):
        with FlopCounterMode(display=False) as counter:
            features(image, [backbone.top])
        counted.append(counter.get_total_flops())
    assert counted[0] < share * counted[1]


def test_padding_same_is_computed_literally():
    made, image = network(padding="same"), photo(30, 41)
    assert torch.equal(made(image), literally(made, image))


def test_layers_with_hooks_get_full_maps():
    made, influenced = network("fcn32s-vgg11"), []
    layer = made.backbone.conv1_1
    layer.register_forward_hook(lambda layer, given, result: influenced.append(result.shape[-2:]))
    made(photo(20, 30))
    assert influenced == [(218, 228)]
