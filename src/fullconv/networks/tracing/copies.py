"""Copies of a network's modules around the same weights, or around tensors without data.

Hooks, modes and replaced tensors are put on a copy, so a network that other threads are using is
never changed. Only modules are copied; whatever else they refer to is shared.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Layers = TypeVar("Layers", bound=nn.Module)

_CONTAINERS = (dict, OrderedDict, list, tuple)  # those in which modules and hooks are found


@dataclass(frozen=True)
class RunCopy:
    """A copy of a network, in evaluation mode, that is run to see what it computes.

    Attributes:
        network: the copy.
        weights: id of each of its parameters and buffers -> the tensor, and the network's own.
        batch: number of images that it is run on: 1 without data, or 0.
    """

    network: nn.Module
    weights: dict[int, tuple[Tensor, Tensor]]
    batch: int = 1

    def image(self, size: tuple[int, int], channels: int = 3) -> Tensor:
        """Return an input without data, (batch, channels, height, width)."""
        tensors = [tensor for tensor, _ in self.weights.values()]
        kind = next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)
        device = tensors[0].device if tensors else None if self.batch == 0 else "meta"
        return torch.empty(self.batch, channels, *size, dtype=kind, device=device)


def empty_batch(network: nn.Module) -> RunCopy:
    """Return a copy around the same weights, to be run on no images: nothing is computed.

    The meta device does the same for one image, but its first use imports PyTorch's compiler, which
    takes seconds and 150 MB.
    """
    copy = copy_modules(network)
    tensors = (*copy.parameters(), *copy.buffers())
    return RunCopy(copy, {id(tensor): (tensor, tensor) for tensor in tensors}, 0)


def meta_copy(network: nn.Module) -> RunCopy:
    """Return a copy whose weights have no data, to be run on the "meta" device."""
    weights: dict[int, tuple[Tensor, Tensor]] = {}

    def without_data(tensor: Tensor) -> Tensor:
        found = tensor.detach().to("meta")
        if isinstance(tensor, nn.Parameter):
            found = nn.Parameter(found, requires_grad=False)
        weights[id(found)] = (found, tensor)
        return found

    return RunCopy(copy_modules(network, without_data), weights)


def copy_modules(network: Layers, tensor: Callable[[Tensor], Tensor] | None = None) -> Layers:
    """Return a copy of all modules, in evaluation mode.

    Args:
        network: any module; it and its modules are left as they are.
        tensor: replaces each parameter and buffer; None shares them.
    """
    return _Copier(tensor or (lambda shared: shared)).module(network)


class _Copier:
    """Copy each module, container and tensor once, however often it is referred to."""

    def __init__(self, tensor: Callable[[Tensor], Tensor]) -> None:
        self._tensor = tensor
        # The originals are kept alive, or another object could get the same id.
        self._copies: dict[int, tuple[object, Any]] = {}

    def module(self, module: Layers) -> Layers:
        copied = object.__new__(type(module))
        self._copies[id(module)] = (module, copied)
        # A shallow copy first: another thread may add an attribute meanwhile.
        for name, value in dict(vars(module)).items():
            weights = name in ("_parameters", "_buffers")
            copied.__dict__[name] = self._weights(value) if weights else self._value(value)
        copied.__dict__["training"] = False
        return copied

    def _weights(self, tensors: dict[str, Tensor | None]) -> dict[str, Tensor | None]:
        return {
            name: None if t is None else self._once(t, self._tensor) for name, t in tensors.items()
        }

    def _once(self, value: Any, copy: Callable[[Any], Any]) -> Any:
        if id(value) not in self._copies:
            self._copies[id(value)] = (value, copy(value))
        return self._copies[id(value)][1]

    def _value(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            return self._once(value, self.module)
        if type(value) in _CONTAINERS:
            return self._once(value, self._container)
        if isinstance(value, MethodType) and isinstance(value.__self__, nn.Module):
            return MethodType(value.__func__, self._value(value.__self__))
        return value

    def _container(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        copied = type(value)()
        self._copies[id(value)] = (value, copied)  # it may contain itself
        if isinstance(value, list):
            copied.extend(self._value(item) for item in list(value))
        else:
            copied.update((key, self._value(item)) for key, item in list(value.items()))
        return copied
