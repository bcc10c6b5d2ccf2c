"""Estimate the memory of a network: per pixel of an image, and for a plan's strips or tiles."""

from itertools import islice
from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.hardware import free_memory
from fullconv.inference.plan import Plan
from fullconv.inference.planner.per_network import PerNetwork
from fullconv.inference.planner.strips import band_executors
from fullconv.inference.streaming.graph import OpGraph, record_ops
from fullconv.networks.tracing.copies import copy_modules

SIDE = 512  # pixels; side of the image from which the memory per pixel is estimated
# A process takes more memory than its tensors: measured, at most so many times as much, and a
# constant for code that is used for the first time and for the threads' buffers.
SLACK = 1.5
SCATTER = 4 / 3  # times as much again for strips: their tensors are small and scatter over the heap
FIXED = 32 * 2**20  # bytes
# Bytes per pixel of an exported file whose layers are not known; VGG-16, which needs most, needs
# fewer.
UNKNOWN = 2048


class NetworkCost(NamedTuple):
    """What a network needs, for any image size.

    Attributes:
        per_pixel: bytes per pixel of the image, approximately.
        classes: number of scores per pixel.
        refusal: why the network cannot be streamed; "" if it can.
    """

    per_pixel: float
    classes: int
    refusal: str


_known: PerNetwork[NetworkCost] = PerNetwork()


def network_cost(network: nn.Module, bands: int) -> NetworkCost:
    """Return a network's cost; it is estimated once."""
    return _known.get(network, bands, lambda: _estimate(network, bands))


def peak(steps: OpGraph, planned: Plan) -> int:
    """Return the peak memory of a plan's strips in bytes; `steps` are recorded without weights."""
    every = band_executors(steps, planned)
    flow = every[len(every) // 2]

    for _ in islice(flow.run(steps.blank), 4):  # the memory stops growing after a few strips
        pass
    slack = SLACK * (SCATTER if planned.rows < planned.size[0] else 1)
    return int(slack * (flow.peak + (len(every) - 1) * flow.most_held)) + FIXED


def tile_memory(facts: NetworkCost, side: int) -> int:
    """Return the bytes for square tiles; half of them hold overlaps for later tiles."""
    return int(2 * facts.per_pixel * side**2) + FIXED


def largest_tile(facts: NetworkCost, budget: int) -> int:
    """Return the side in pixels of the largest square tile within the budget."""
    return isqrt(int(max(0, budget - FIXED) / 2 / facts.per_pixel))


def runtime_pixel_bytes(layers: nn.Module, bands: int = 3) -> float:
    """Estimate the bytes per pixel of an image that a runtime other than PyTorch takes."""
    cost = network_cost(layers, bands)
    return cost.per_pixel if cost.refusal else cost.per_pixel - FIXED / SIDE**2


def free_device_memory(network: nn.Module) -> int:
    """Return the free bytes on the network's device."""
    device = next(network.parameters()).device
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def _estimate(network: nn.Module, bands: int) -> NetworkCost:
    if hasattr(network, "exported_from"):
        return _exported(network, bands)
    side = (SIDE, SIDE)
    try:
        steps = record_ops(network, side, bands, weights=False)
    except GeometryError as error:
        return _measure(network, bands, f"this network {error}")
    per_pixel = peak(steps, Plan("strips", True, side, *side, bands=bands)) / SIDE**2
    return NetworkCost(per_pixel, steps.values[steps.output].shape[1], "")


def _exported(network: Any, bands: int) -> NetworkCost:
    """Return the cost of an `ExportedNetwork`, which its file holds.

    That of a file of an earlier version is estimated from the layers that it was exported from. The
    runtimes take 0.2 to 0.9 of what is estimated for the layers, without the constant, which is
    PyTorch's, and most of the estimate for a small network.
    """
    per_pixel: float | None = network.file.description.pixel_bytes
    if per_pixel is None:
        layers: nn.Module | None = network.exported_from()
        per_pixel = runtime_pixel_bytes(layers, bands) if layers else UNKNOWN
    return NetworkCost(per_pixel, network.classes, f"this network {network.opaque}")


@torch.inference_mode()
def _measure(network: nn.Module, bands: int, refusal: str) -> NetworkCost:
    """Estimate the cost of a network that cannot be recorded, from its layers' outputs."""
    side, sizes = 128, [0]

    def note(layer: nn.Module, given: object, result: object) -> None:
        sizes.append(result.nbytes if isinstance(result, Tensor) else 0)

    observed = copy_modules(network)  # other threads may use the network
    for layer in observed.modules():
        layer.register_forward_hook(note)
    score = observed(torch.zeros(1, bands, side, side, device=next(network.parameters()).device))
    return NetworkCost(SLACK * 4 * max(sizes) / side**2, score.shape[1], refusal)
