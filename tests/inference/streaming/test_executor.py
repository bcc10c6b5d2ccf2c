"""Streaming execution, compared with PyTorch's forward on the whole image."""

import pytest
import torch
from torch import nn

from fullconv.inference.streaming.executor import StreamExecutor
from fullconv.inference.streaming.graph import Region, record_ops
from random_networks import in_strips, random_network

NETWORKS = [
    ("fcn8s-vgg16", {"width": 1 / 32, "hidden": 8}),
    ("fcn8s-vgg16", {"width": 1 / 32, "hidden": 8, "padding": 100}),
    ("fcn32s-vgg16_bn", {"width": 1 / 32, "hidden": 8}),
    ("fcn16s-vgg11", {"width": 1 / 32, "hidden": 8, "upsampling": "bilinear"}),
    ("fcn8s-vgg11", {"width": 1 / 32, "hidden": 8, "upsampling": "bilinear-corners"}),
    ("fcn8s-vgg11", {"width": 1 / 32, "hidden": 8, "upsampling": "unpooling"}),
    ("fcn4s-vgg11", {"width": 1 / 32, "hidden": 8, "fusing": "sum"}),
    ("fcn8s-resnet18", {}),
    ("fcn8s-resnet18", {"padding": 100}),
    ("fcn16s-alexnet", {"width": 1 / 8, "hidden": 8}),
]


def assert_close(parts, whole):
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() <= 1e-5 * whole.abs().max()
    assert torch.equal(parts.argmax(1), whole.argmax(1))


def noise(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, height, width), generator=generator).float()


@pytest.mark.parametrize("name,settings", NETWORKS)
def test_strips_of_any_height_equal_the_whole_image(name, settings):
    network = random_network(name, **settings)
    for height, width, rows in [(1, 1, 1), (130, 9, 3), (97, 64, 32)]:
        x = noise(height, width, height)
        with torch.inference_mode():
            whole = network(x)
        parts, flow = in_strips(network, x, rows)
        assert_close(parts, whole)
        assert flow.held == 0


@pytest.mark.parametrize("name,settings", NETWORKS[:3])
def test_a_region_of_the_scores_can_be_computed_alone(name, settings):
    network = random_network(name, **settings)
    x = noise(260, 220)
    with torch.inference_mode():
        whole = network(x)
    for rows, columns in [((140, 201), (0, 220)), ((0, 260), (70, 90)), ((259, 260), (219, 220))]:
        part, _ = in_strips(network, x, 32, (rows, columns))
        assert_close(part, whole[:, :, slice(*rows), slice(*columns)])


def test_a_region_reads_only_its_receptive_field():
    network = random_network("fcn32s-vgg16", width=1 / 32, hidden=8)
    steps = record_ops(network, (4000, 3000))
    flow = StreamExecutor(steps, Region((2000, 2064), (1500, 1501)), 64)
    (top, bottom), (left, right) = flow.image
    # fc7 has a receptive field of 404 pixels; an output pixel is between two of fc7's, 32 apart.
    assert 404 + 32 <= right - left + 1 <= 404 + 64 and 404 + 64 <= bottom - top <= 404 + 160
    x = noise(400, 300)
    changed = x.clone()
    changed[:, :, :, :20] = 255 - changed[:, :, :, :20]
    near, _ = in_strips(network, x, 64, ((0, 400), (290, 300)))
    far, _ = in_strips(network, changed, 64, ((0, 400), (290, 300)))
    assert torch.equal(near, far)


@pytest.mark.parametrize("rows", [8, 32, 200])
def test_no_row_is_computed_twice(rows):
    network = random_network("fcn8s-vgg16", width=1 / 32, hidden=8)
    # Only the upsampling, a thousandth of the work, reads rows between two strips twice.
    _, flow = in_strips(network, noise(320, 96), rows, positions=1)
    expected = 0

    def count(layer, given, result):
        nonlocal expected
        values = given[0] if isinstance(layer, nn.ConvTranspose2d) else result
        expected += values.numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(noise(320, 96))
    assert expected <= flow.multiply_adds <= 1.2 * expected
    backbone = sum(
        op.partial.per_output * value.shape[1] * value.size[0] * value.size[1]
        for op, value in _convolutions(network)
    )
    assert backbone <= flow.multiply_adds


def _convolutions(network):
    graph = record_ops(network, (320, 96))
    return [(op, graph.values[op.outputs[0]]) for op in graph.ops if op.name == "conv2d"]


def test_the_peak_does_not_grow_with_the_image():
    network = random_network("fcn8s-vgg16", width=1 / 32, hidden=8)
    peaks = [
        in_strips(network, noise(height, 64), 32, positions=64)[1].peak for height in (800, 1400)
    ]
    assert peaks[0] == peaks[1]


def test_scores_are_returned_while_the_image_is_read():
    network = random_network("fcn32s-vgg11", width=1 / 32, hidden=8)
    steps = record_ops(network, (2000, 64))
    flow = StreamExecutor(steps, Region((0, 2000), (0, 64)), 100, positions=1)
    given = returned = 0
    with torch.inference_mode():
        while given < 2000:
            part = flow.advance(noise(100, 64))
            given += 100
            returned += 0 if part is None else part.shape[2]
            assert given - returned <= 500
        while not flow.done:
            part = flow.advance(None)
            assert part is None or part.shape[2] <= 128  # the end comes in strips, too
            returned += 0 if part is None else part.shape[2]
    assert returned == 2000
