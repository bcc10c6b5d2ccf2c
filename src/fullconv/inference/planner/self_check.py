"""Whether a network's strips add up to the whole: a small image is computed both ways."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fullconv.inference.planner.plan import Plan, flows
from fullconv.inference.streaming.executor import run_side_by_side
from fullconv.inference.streaming.graph import Region, record_ops

AGREE = 1e-4  # of the largest score: a wrong rule is off by orders more, rounding by less

_checked: WeakKeyDictionary[nn.Module, dict[int, float]] = WeakKeyDictionary()


def streaming_error(network: nn.Module, bands: int) -> str:
    """Why a network's strips are not to be believed; "" where they add up to the whole.

    The steps are believed only after a look: somebody's layer may do what no rule foresees.
    """
    found = _checked.setdefault(network, {})
    if bands not in found:
        found[bands] = _difference(network, bands)
    return "" if found[bands] <= AGREE else f"this network's parts are {found[bands]:.0e} off"


@torch.inference_mode()
def _difference(network: nn.Module, bands: int) -> float:
    """The largest difference of scores, whole and in strips, as a share of the largest score."""
    size = (83, 45)
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, bands, *size), generator=generator, dtype=torch.float32)
    image = image.to(next(network.parameters()).device)
    if image.is_meta:
        return 0.0
    whole = network(image)
    planned = Plan("strips", True, size, 32, 23, bands=bands)
    every = flows(record_ops(network, size, bands), planned)

    def read(region: Region) -> Tensor:
        rows, columns = region
        return image[..., slice(*rows), slice(*columns)]

    parts = torch.cat([strip.clone() for strip in run_side_by_side(every, read)], 2)
    largest = whole.abs().max().clamp(min=1e-20)
    return float((parts - whole).abs().max() / largest)
