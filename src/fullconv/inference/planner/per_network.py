"""Facts about networks: each is found once, by one thread, and again after the network changed."""

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from torch import nn

Fact = TypeVar("Fact")
MOST = 8  # facts kept per network
_PLAIN = (int, float, str, bytes, type(None))  # attributes of layers, such as a stride


@dataclass
class _Known(Generic[Fact]):
    """What is known of one network while it has one structure."""

    structure: tuple[Hashable, ...] = ()
    facts: dict[Hashable, Fact] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


class PerNetwork(Generic[Fact]):
    """Facts of one kind about networks, kept as long as the network is.

    Threads that ask for the same network wait for the first of them; other networks do not.
    """

    def __init__(self) -> None:
        self._networks: WeakKeyDictionary[nn.Module, _Known[Fact]] = WeakKeyDictionary()
        self._lock = Lock()
        if hasattr(os, "register_at_fork"):  # a thread that does not exist there may hold a lock
            os.register_at_fork(after_in_child=self._forget)

    def get(self, network: nn.Module, key: Hashable, find: Callable[[], Fact]) -> Fact:
        """Return the fact of this key; `find` is called if it is not known, and may raise."""
        with self._lock:
            known = self._networks.setdefault(network, _Known())
        with known.lock:
            structure = tuple(_structure(network))
            if known.structure != structure:
                known.structure = structure
                known.facts.clear()
            if key not in known.facts:
                fact = find()
                while len(known.facts) >= MOST:
                    known.facts.pop(next(iter(known.facts)))
                known.facts[key] = fact
            return known.facts[key]

    def _forget(self) -> None:
        self._networks, self._lock = WeakKeyDictionary(), Lock()


def _structure(network: nn.Module) -> Iterator[Hashable]:
    """Yield what tells one structure from another: layers, settings, shapes, types and hooks."""
    for module in list(network.modules()):
        yield id(module)
        yield len(module._forward_hooks) + len(module._forward_pre_hooks)
        for name, value in list(vars(module).items()):
            plain = value if isinstance(value, tuple) else (value,)
            if name != "training" and all(isinstance(item, _PLAIN) for item in plain):
                yield value
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            yield None if tensor is None else (tensor.shape, tensor.dtype, tensor.device)
