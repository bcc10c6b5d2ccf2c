"""Copy arrays into a network by name, also into layers of another shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fullconv.errors import WeightsError


@dataclass(frozen=True)
class Transplant:
    """What happened to each array and each of the network's parameters, by name.

    Attributes:
        taken: copied as they are.
        reshaped: copied into another shape with the same numbers (fully connected -> convolution).
        missing: parameters of the network without an array; they keep their values.
        left_over: arrays that the network does not have, or has in another size.
    """

    taken: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]


@torch.no_grad()
def transplant(network: nn.Module, arrays: Mapping[str, Tensor]) -> Transplant:
    """Copy arrays into the network by name; a prefix `backbone.` on either side is ignored.

    Raises:
        WeightsError: an array is not finite; nothing is copied.
    """
    state = {bare(name): tensor for name, tensor in network.state_dict().items()}
    taken: list[str] = []
    reshaped: list[str] = []
    left_over: list[str] = []
    for name, array in arrays.items():
        if array.is_floating_point() and not array.isfinite().all():
            raise WeightsError(f"array {name!r} contains values that are not finite; none was used")
    for name, array in arrays.items():
        target = state.get(bare(name))
        if target is None or not _fits(array, target):
            left_over.append(name)
            continue
        (taken if array.shape == target.shape else reshaped).append(name)
        target.copy_(array.reshape(target.shape))
    copied = {bare(name) for name in (*taken, *reshaped)}
    counters = ("num_batches_tracked",)
    missing = [name for name in state if name not in copied and not name.endswith(counters)]
    return Transplant(tuple(taken), tuple(reshaped), tuple(missing), tuple(left_over))


def bare(name: str) -> str:
    """Return a parameter's name without the prefix "backbone."."""
    return name.removeprefix("backbone.")


def _fits(array: Tensor, target: Tensor) -> bool:
    if array.shape == target.shape:
        return True
    # A matrix over flattened maps has the numbers of a convolution over the maps, and vice versa.
    is_matrix = array.ndim == 2 or target.ndim == 2
    return is_matrix and array.numel() == target.numel() and array.shape[:1] == target.shape[:1]
