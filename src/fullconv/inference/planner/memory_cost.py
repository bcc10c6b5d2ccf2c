"""What a network takes: the bytes of an image's pixel, and of a plan's strips or tiles."""

from itertools import islice
from math import isqrt
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.hardware import free_memory
from fullconv.inference.planner.plan import Plan, flows
from fullconv.inference.streaming.graph import OpGraph, Region, record_ops

SIDE = 512  # pixels; of the image that a network's need per pixel is taken from
# What the sizes say is not all: the allocator holds memory back (measured: up to so much).
SLACK = 1.5
FIXED = 256 * 2**20  # bytes


class Facts(NamedTuple):
    """What is known of a network, whatever the image's size.

    Attributes:
        per_pixel: bytes that an image's pixel takes, about.
        classes: scores of a pixel.
        refusal: what it does that cannot be done in strips; "" where there is nothing.
    """

    per_pixel: float
    classes: int
    refusal: str


_known: WeakKeyDictionary[nn.Module, dict[int, Facts]] = WeakKeyDictionary()


def facts_of(network: nn.Module, bands: int) -> Facts:
    """What is known of a network; it is looked at once."""
    found = _known.setdefault(network, {})
    if bands not in found:
        found[bands] = _look(network, bands)
    return found[bands]


def peak(steps: OpGraph, planned: Plan) -> int:
    """Bytes that a plan's strips take at once; `steps` are a network's without numbers."""
    every = flows(steps, planned)
    flow = every[len(every) // 2]

    def read(region: Region) -> Tensor:
        height, width = (end - first for first, end in region)
        return torch.empty(1, planned.bands, height, width, device="meta")

    for _ in islice(flow.run(read), 4):  # after some strips the need no longer grows
        pass
    return int(SLACK * (flow.peak + (len(every) - 1) * flow.most_held)) + FIXED


def tiles_need(facts: Facts, side: int) -> int:
    """Bytes that square tiles take; half of them are for what waits for later tiles."""
    return int(2 * facts.per_pixel * side**2) + FIXED


def tile_within(facts: Facts, budget: int) -> int:
    """The side of the largest square tile that takes no more, in pixels."""
    return isqrt(int(max(0, budget - FIXED) / 2 / facts.per_pixel))


def free_for(network: nn.Module) -> int:
    """Bytes that are free where the network is."""
    device = next(network.parameters()).device
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def _look(network: nn.Module, bands: int) -> Facts:
    side = (SIDE, SIDE)
    try:
        steps = record_ops(network, side, bands, weights=False)
    except GeometryError as error:
        return _measured(network, bands, f"this network {error}")
    per_pixel = peak(steps, Plan("strips", True, side, *side, bands=bands)) / SIDE**2
    return Facts(per_pixel, steps.values[steps.output].shape[1], "")


@torch.inference_mode()
def _measured(network: nn.Module, bands: int, refusal: str) -> Facts:
    """What a network takes that cannot be followed, from its layers' results on a small image."""
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
    return Facts(SLACK * 4 * max(sizes) / side**2, score.shape[1], refusal)
