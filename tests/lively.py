"""Networks with random numbers in every layer: fresh score layers are zero, and answer nothing."""

import numpy as np
import torch

import fullconv as fc
from fullconv.inference.streaming.executor import StreamExecutor
from fullconv.inference.streaming.ops import Region, record_ops

CLASSES = 4


def lively(name, seed=0, **settings):
    torch.manual_seed(seed)
    network = fc.create_model(name, CLASSES, **settings).eval()
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.1)
        torch.nn.init.normal_(layer.bias, std=0.1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return network


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@torch.inference_mode()
def in_strips(network, x, rows, region=None, places=4096):
    """A module's answer to `x` (1, C, H, W), its region computed a few rows at a time."""
    steps = record_ops(network, tuple(x.shape[-2:]), x.shape[1])
    height, width = steps.values[steps.answer].sides
    flow = StreamExecutor(steps, Region(*(region or ((0, height), (0, width)))), rows, places)
    (at, end), (left, right) = flow.image
    found = []
    for _ in range(100_000):
        high = min(rows, end - at)
        part = flow.advance(x[:, :, at : at + high, left:right].clone() if high else None)
        at += high
        found += [] if part is None else [part.clone()]
        if flow.done:
            return torch.cat(found, 2), flow
    raise AssertionError("it does not come to an end")
