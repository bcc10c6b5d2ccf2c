"""Estimate the memory of a network: per pixel of an image, and for a plan's strips or tiles."""

from itertools import islice
from math import isqrt
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.hardware import free_memory
from fullconv.inference.planner.plan import Plan, band_executors
from fullconv.inference.streaming.graph import OpGraph, Region, record_ops

SIDE = 512  # pixels; side of the image from which the memory per pixel is estimated
# The allocator holds memory beyond the tensors' sizes (measured: up to this factor and constant).
SLACK = 1.5
FIXED = 256 * 2**20  # bytes


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


_known: WeakKeyDictionary[nn.Module, dict[int, NetworkCost]] = WeakKeyDictionary()


def network_cost(network: nn.Module, bands: int) -> NetworkCost:
    """Return a network's cost; it is estimated once."""
    found = _known.setdefault(network, {})
    if bands not in found:
        found[bands] = _estimate(network, bands)
    return found[bands]


def peak(steps: OpGraph, planned: Plan) -> int:
    """Return the peak memory of a plan's strips in bytes; `steps` are recorded without weights."""
    every = band_executors(steps, planned)
    flow = every[len(every) // 2]

    def read(region: Region) -> Tensor:
        height, width = (end - first for first, end in region)
        return torch.empty(1, planned.bands, height, width, device="meta")

    for _ in islice(flow.run(read), 4):  # the memory stops growing after a few strips
        pass
    return int(SLACK * (flow.peak + (len(every) - 1) * flow.most_held)) + FIXED


def tile_memory(facts: NetworkCost, side: int) -> int:
    """Return the bytes for square tiles; half of them hold overlaps for later tiles."""
    return int(2 * facts.per_pixel * side**2) + FIXED


def largest_tile(facts: NetworkCost, budget: int) -> int:
    """Return the side in pixels of the largest square tile within the budget."""
    return isqrt(int(max(0, budget - FIXED) / 2 / facts.per_pixel))


def free_device_memory(network: nn.Module) -> int:
    """Return the free bytes on the network's device."""
    device = next(network.parameters()).device
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def _estimate(network: nn.Module, bands: int) -> NetworkCost:
    side = (SIDE, SIDE)
    try:
        steps = record_ops(network, side, bands, weights=False)
    except GeometryError as error:
        return _measure(network, bands, f"this network {error}")
    per_pixel = peak(steps, Plan("strips", True, side, *side, bands=bands)) / SIDE**2
    return NetworkCost(per_pixel, steps.values[steps.output].shape[1], "")


@torch.inference_mode()
def _measure(network: nn.Module, bands: int, refusal: str) -> NetworkCost:
    """Estimate the cost of a network that cannot be recorded, from its layers' outputs."""
    side, sizes = 128, [0]

    def note(layer: nn.Module, given: object, result: object) -> None:
        sizes.append(result.nbytes if isinstance(result, Tensor) else 0)

    hooks = [layer.register_forward_hook(note) for layer in network.modules()]
    try:
        image = torch.zeros(1, bands, side, side, device=next(network.parameters()).device)
        score = network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return NetworkCost(SLACK * 4 * max(sizes) / side**2, score.shape[1], refusal)
