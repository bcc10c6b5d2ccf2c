"""Notice whether a network still has the layers and weights that something was computed from."""

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.networks.padding.regions import has_hooks

_version = attrgetter("_version")


class NetworkState:
    """What the outputs of layers in evaluation mode follow from, at one time.

    Changes by `tensor.data` alone are not noticed: PyTorch does not count them.

    Args:
        layers: whose weights `count_changes` has seen.
    """

    # It is asked for each image, so there is no loop in Python over hundreds of weights.

    def __init__(self, layers: nn.Module) -> None:
        self._modules = tuple(layers.modules())
        self._children = [module._modules for module in self._modules]
        self._owned = [*_owned(self._modules)]
        self._weights = [weight for weight in _values(self._owned) if weight is not None]
        # While these exist, no later weight has the address of one of them.
        self._kept = [weight.detach() for weight in self._weights]
        self._identities = self._identify()
        self._contents = self._read()

    def is_current(self) -> bool:
        """Return whether the layers compute the same: as they were, evaluating, without hooks."""
        if any(module.training or has_hooks(module) for module in self._modules):
            return False
        return self._identify() == self._identities and self._read() == self._contents

    def _identify(self) -> tuple[list[int], list[int]]:
        """Return which layers and weights there are."""
        return [*map(id, _values(self._children))], [*map(id, _values(self._owned))]

    def _read(self) -> tuple[list[int], list[int]]:
        """Return what changes with the weights' numbers."""
        addresses = [*map(Tensor.data_ptr, self._weights)]
        try:
            return addresses, [*map(_version, self._weights)]
        except RuntimeError:  # some were made under `torch.inference_mode`: nothing counts changes
            counted = [-1 if one.is_inference() else one._version for one in self._weights]
            return addresses, counted


def is_evaluating(network: nn.Module) -> bool:
    """Return whether all modules are in evaluation mode."""
    left: list[nn.Module | None] = [network]
    while left:
        module = left.pop()  # quicker than `modules`, which looks for those that occur twice
        if module is not None:
            if module.training:
                return False
            left += module._modules.values()
    return True


@torch.no_grad()
def count_changes(network: nn.Module) -> None:
    """Let PyTorch count the changes of weights that were made under `torch.inference_mode`.

    They are replaced by equal ones, since it counts none of theirs.
    """
    replaced: dict[int, Tensor] = {}  # a weight may belong to several layers
    with torch.inference_mode(False):
        for module in network.modules():
            owned: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
            for weights in owned:
                for name, old in weights.items():
                    if old is None or not old.is_inference():
                        continue
                    if id(old) not in replaced:
                        new = old.clone()
                        is_parameter = isinstance(old, nn.Parameter)
                        replaced[id(old)] = (
                            nn.Parameter(new, old.requires_grad) if is_parameter else new
                        )
                    weights[name] = replaced[id(old)]


def _owned(modules: Iterable[nn.Module]) -> Iterator[dict[str, Any]]:
    """Yield the weights and the buffers that each module has itself, by name."""
    for module in modules:
        yield from (module._parameters, module._buffers)


def _values(named: Iterable[dict[str, Any]]) -> Iterator[Any]:
    return chain.from_iterable(map(dict.values, named))
