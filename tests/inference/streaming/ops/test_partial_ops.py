"""Ops computed on parts of their input equal PyTorch's functions on the whole input."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.errors import GeometryError
from fullconv.inference.streaming.graph import Region, record_ops
from fullconv.networks.layers import BilinearUpsample, Unpool
from random_networks import in_strips


class Does(nn.Module):
    """A module that calls one function with weights."""

    def __init__(self, function, *weights):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(torch.randn(shape) for shape in weights)

    def forward(self, x):
        return self.function(x, *self.weights)


def reduce_weights(x, w):
    return F.conv2d(x, w - w.mean((1, 2, 3), keepdim=True))


def shuffle(x):
    b, c, h, w = x.shape
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


def channels_last(x, w):
    x = x.permute(0, 2, 3, 1)
    return F.linear(F.layer_norm(x, x.shape[-1:]), w).permute(0, 3, 1, 2)


def residual(x, w):
    return F.relu_(F.conv2d(x, w, padding=2) + x)


def in_place(x):
    y = x + 1
    z = y * 2
    y += z
    y.clamp_(max=3)
    return y - z


def branches(x, w):
    left, right = x.chunk(2, 1)
    return torch.cat([left, F.conv2d(right, w, padding=(2, 1))[..., 1:-1, :] * 2], 1)


def paired(x, w):
    return torch.cat([F.avg_pool2d(x, 2, 2, ceil_mode=True), F.conv2d(x, w, None, 2, 1)], 1)


class Unpooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.unpool = Unpool(self.pool)

    def forward(self, x):
        return self.unpool(self.pool(x), x)


CASES = {
    **{
        f"conv k{k} s{s} p{p} d{d} g{g}": Does(
            lambda x, w, b, s=s, p=p, d=d, g=g: F.conv2d(x, w, b, s, p, d, g), (4, 4 // g, k, k), 4
        )
        for k, s, p, d, g in [
            *((1, 1, 0, 1, 1), (3, 1, 1, 1, 1), (3, 2, 1, 1, 1), (3, 1, 9, 1, 1), (7, 2, 3, 1, 1)),
            *((3, 1, 2, 2, 1), (3, 1, 1, 1, 4), (2, 3, 0, 1, 1), (5, 4, 0, 1, 2)),
        ]
    },
    "conv oblong": Does(lambda x, w: F.conv2d(x, w, None, (2, 1), (2, 0)), (4, 4, 5, 1)),
    "conv same": Does(lambda x, w: F.conv2d(x, w, padding="same"), (4, 4, 5, 3)),
    "conv valid": Does(lambda x, w: F.conv2d(x, w, padding="valid"), (4, 4, 3, 3)),
    "conv of prepared weights": Does(reduce_weights, (4, 4, 3, 3)),
    **{
        f"max k{k} s{s} p{p} ceil{c}": Does(
            lambda x, k=k, s=s, p=p, c=c: F.max_pool2d(x, k, s, p, 1, c)
        )
        for k, s, p, c in [(2, 2, 0, True), (2, 2, 0, False), (3, 2, 1, True), (3, 1, 1, False)]
    },
    "max without stride": Does(lambda x: F.max_pool2d(x, 3)),
    **{
        f"mean k{k} s{s} p{p} ceil{c} zeros{z}": Does(
            lambda x, k=k, s=s, p=p, c=c, z=z: F.avg_pool2d(x, k, s, p, c, z)
        )
        for k, s, p, c, z in [
            *((2, 2, 0, False, True), (3, 1, 1, False, True), (3, 1, 1, False, False)),
            *((3, 2, 1, True, True), (3, 2, 1, True, False), (2, 2, 0, True, False)),
        ]
    },
    "mean by 5": Does(lambda x: F.avg_pool2d(x, 2, divisor_override=5)),
    **{
        f"transposed k{k} s{s} p{p} o{o}": Does(
            lambda x, w, b, s=s, p=p, o=o: F.conv_transpose2d(x, w, b, s, p, o), (4, 3, k, k), 3
        )
        for k, s, p, o in [(4, 2, 0, 0), (4, 2, 1, 0), (3, 2, 1, 1), (16, 8, 0, 0), (2, 3, 0, 1)]
    },
    **{
        f"bilinear {size} corners{c}": Does(
            lambda x, size=size, c=c: F.interpolate(x, size, mode="bilinear", align_corners=c)
        )
        for size in [(50, 70), (37, 23), (101, 11), (5, 90)]
        for c in (True, False)
    },
    "bilinear by 2.5": Does(lambda x: F.interpolate(x, scale_factor=2.5, mode="bilinear")),
    "interpolate 4": BilinearUpsample(4),
    "interpolate 4, odd": BilinearUpsample(4, 7),
    "unpool": Unpooled(),
    "pad zeros": Does(lambda x: F.pad(x, (1, 2, 3, 4))),
    "pad value": Does(lambda x: F.pad(x, (1, 2, 30, 40), value=2.0)),
    "pad crop": Does(lambda x: F.pad(x, (-1, 2, -3, -4))),
    "pad replicate": Does(lambda x: F.pad(x, (1, 2, 3, 40), mode="replicate")),
    "crop": Does(lambda x: x[..., 3:20, 1:-2]),
    "crop all": Does(lambda x: x[:, 1:3, 2:]),
    "shuffle": Does(shuffle),
    "channels last": Does(channels_last, (6, 4)),
    "residual": Does(residual, (4, 4, 5, 5)),
    "in place": Does(in_place),
    "branches": Does(branches, (2, 2, 3, 3)),
    "unequal branches": Does(paired, (4, 4, 3, 3)),
    "flip": Does(lambda x: x.flip(1) + x.flip((1,))),
    "local response": Does(lambda x: F.local_response_norm(x, 3)),
    "batch norm": nn.BatchNorm2d(4).eval(),
    "mean of maps": Does(lambda x: x.mean(1, keepdim=True) + x.sum((1,), keepdim=True)),
    "pieces": Does(lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1)),
    "dropout": nn.Dropout2d().eval(),
    "activations": Does(lambda x: F.gelu(F.hardswish(F.relu6(x * 3)) - torch.sigmoid(x))),
}


@pytest.mark.parametrize("name", CASES)
def test_an_op_on_parts_equals_the_op_on_the_whole(name):
    module = CASES[name].eval()
    for seed, (height, width) in enumerate([(37, 23), (36, 24), (41, 8)]):
        x = torch.randn(1, 4, height, width, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            whole = module(x)
        for rows in (1, 13):
            parts, flow = in_strips(module, x, rows)
            assert parts.shape == whole.shape
            assert (parts - whole).abs().max() <= 2e-6 * whole.abs().max()
            assert flow.held == 0  # all rows are freed
        down, across = (slice(side // 3, side // 2 + 1) for side in whole.shape[2:])
        region = ((down.start, down.stop), (across.start, across.stop))
        part, _ = in_strips(module, x, 4, region)
        assert (part - whole[:, :, down, across]).abs().max() <= 2e-6 * whole.abs().max()


@pytest.mark.parametrize(
    "function,message",
    [
        (lambda x: x - x.mean((2, 3), keepdim=True), "mean over the whole image"),
        (lambda x: x * F.adaptive_avg_pool2d(x, 1), "pools over the whole image"),
        (lambda x: F.group_norm(x, 2), "normalizes over the whole image"),
        (lambda x: x.softmax(-1), "softmax over the whole image"),
        (lambda x: x.flatten(2), "flattens rows and columns"),
        (lambda x: x[:, :, ::2], "every other row"),
        (lambda x: F.interpolate(x, scale_factor=2), "interpolates by nearest"),
        (lambda x: F.layer_norm(x, x.shape[1:]), "layer_norm over the whole image"),
        (lambda x: x + torch.arange(x.shape[3], device="meta"), "neither a weight"),
        (lambda x: F.pad(x, (1, 1, 0, 0), mode="circular"), "pads by"),
        (lambda x: F.conv2d(x, x), "weights that are computed from the image"),
        (lambda x: (x, x), "one tensor of scores"),
        (lambda x: x.view(3), "cannot be traced .*does not run"),
    ],
)
def test_an_op_that_needs_the_whole_image_is_refused_by_name(function, message):
    with pytest.raises(GeometryError, match=message):
        record_ops(Does(function), (16, 16), 4)


def test_weights_per_position_are_refused():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.zeros(1, 4, 16, 16))

        def forward(self, x):
            return x + self.table

    with pytest.raises(GeometryError, match="weight for every position"):
        record_ops(Positions(), (16, 16), 4)


def test_the_message_names_the_layer():
    class Inner(nn.Module):
        def forward(self, x):
            return x / x.amax()

    network = nn.Sequential(nn.Conv2d(4, 4, 1), Inner())
    with pytest.raises(GeometryError, match="amax over the whole image in 1"):
        record_ops(network, (16, 16), 4)


def test_recording_does_not_change_the_network():
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    record_ops(network, (2000, 3000), 4)
    assert network.training and network[1].training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not network[0]._forward_hooks and not network[0]._forward_pre_hooks


def test_the_needed_region_of_the_image_is_where_the_gradient_is():
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(1, 1, 5, padding=2),
    )
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    steps = record_ops(network, (40, 30), 1)
    image = torch.rand(1, 1, 40, 30, requires_grad=True)
    # Sums in place of maxima, so that every pixel of a window counts.
    x = F.avg_pool2d(network[0](image), 2, ceil_mode=True)
    network[2](x)[:, :, 7:9, 0:3].sum().backward()
    touched = image.grad[0, 0].nonzero()
    low, high = touched.min(0).values.tolist(), touched.max(0).values.tolist()
    assert steps.needed(Region((7, 9), (0, 3)))[0] == ((low[0], high[0] + 1), (low[1], high[1] + 1))
