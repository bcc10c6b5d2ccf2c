"""The moving average of a network's weights, which is often better than the last ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

FIRST = 10  # steps: until then the average forgets faster, as its beginning is worth nothing


class EMA:
    """An exponential moving average of all weights, and of the norms' statistics.

    Args:
        network: in training; the average begins as its weights.
        decay: share of the average that a step leaves, in [0, 1); 0.99 remembers 100 steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.values = {name: value.clone() for name, value in self._current().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after `step` steps in."""
        decay = min(self.decay, (1 + step) / (FIRST + step))
        for name, value in self._current().items():
            self.values[name].lerp_(value, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the network has the averaged weights; after it, its own again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def restore(self, values: dict[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, value in self._current().items():
            kept = value.clone()
            value.copy_(self.values[name])
            self.values[name].copy_(kept)

    def _current(self) -> dict[str, Tensor]:
        state = self.network.state_dict()  # tensors that share the weights' memory
        return {name: value for name, value in state.items() if value.is_floating_point()}
