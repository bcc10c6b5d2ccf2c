"""Notice whether a network still has the layers and weights that something was computed from."""

from collections.abc import Hashable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.networks.padding.regions import has_hooks


class NetworkState:
    """What the outputs of layers in evaluation mode follow from, at one time.

    Changes by `tensor.data` alone are not noticed: PyTorch does not count them.

    Args:
        layers: whose weights `count_changes` has seen.
    """

    def __init__(self, layers: nn.Module) -> None:
        self._modules = tuple(layers.modules())  # collecting them takes milliseconds
        # While these exist, no later weight has the address of one of them.
        self._kept = tuple(tensor.detach() for tensor in _weights(self._modules))
        self._facts = tuple(self._read())

    def is_current(self) -> bool:
        """Return whether the layers compute the same: as they were, evaluating, without hooks."""
        if any(module.training or has_hooks(module) for module in self._modules):
            return False
        return self._facts == tuple(self._read())

    def _read(self) -> Iterator[Hashable]:
        for module in self._modules:
            yield from map(id, module._modules.values())
        for tensor in _weights(self._modules):
            yield tensor.data_ptr()
            yield None if tensor.is_inference() else tensor._version


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


def _weights(modules: tuple[nn.Module, ...]) -> Iterator[Tensor]:
    for module in modules:
        for weights in (module._parameters, module._buffers):
            yield from (tensor for tensor in weights.values() if tensor is not None)
