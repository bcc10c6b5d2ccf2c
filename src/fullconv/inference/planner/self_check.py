"""Check that streaming gives a network's whole-image scores, on a small image."""

import torch
from torch import Tensor, nn

from fullconv.inference.plan import Plan
from fullconv.inference.planner.per_network import PerNetwork
from fullconv.inference.planner.strips import band_executors
from fullconv.inference.streaming.executor import run_side_by_side
from fullconv.inference.streaming.graph import Region, record_ops

AGREE = 1e-4  # relative to the largest score; a wrong rule differs by far more, rounding less

_checked: PerNetwork[float] = PerNetwork()


def streaming_error(network: nn.Module, bands: int) -> str:
    """Return why a network must not be streamed; "" if streaming gives the whole-image scores.

    Each network is checked once: a layer may do what no streaming rule covers.
    """
    found = _checked.get(network, bands, lambda: _difference(network, bands))
    return "" if found <= AGREE else f"this network's streamed scores differ by {found:.0e}"


@torch.inference_mode()
def _difference(network: nn.Module, bands: int) -> float:
    """Return the largest difference between whole and streamed scores, relative to the largest."""
    size = (83, 45)
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, bands, *size), generator=generator, dtype=torch.float32)
    image = image.to(next(network.parameters()).device)
    if image.is_meta:
        return 0.0
    whole = network(image)
    planned = Plan("strips", True, size, 32, 23, bands=bands)
    executors = band_executors(record_ops(network, size, bands), planned)

    def read(region: Region) -> Tensor:
        rows, columns = region
        return image[..., slice(*rows), slice(*columns)]

    parts = torch.cat([strip.clone() for strip in run_side_by_side(executors, read)], 2)
    largest = whole.abs().max().clamp(min=1e-20)
    return float((parts - whole).abs().max() / largest)
