"""Networks with random weights in every layer; new score layers would be zero."""

import numpy as np
import torch

import fullconv as fc
from fullconv.inference.streaming.executor import StreamExecutor
from fullconv.inference.streaming.graph import Region, record_ops

CLASSES = 4


def random_network(name, seed=0, **settings):
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
def in_strips(network, x, rows, region=None, positions=4096):
    """Compute a region of a module's output for `x` (1, C, H, W), a few rows at a time."""
    graph = record_ops(network, tuple(x.shape[-2:]), x.shape[1])
    height, width = graph.values[graph.output].size
    wanted = Region(*(region or ((0, height), (0, width))))
    executor = StreamExecutor(graph, wanted, rows, positions)
    strips = executor.run(lambda part: x[..., slice(*part.rows), slice(*part.columns)].clone())
    scores = torch.cat([strip.clone() for strip in strips], 2)
    assert executor.done
    return scores, executor
