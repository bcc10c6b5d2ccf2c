"""Exponential moving average (EMA) of a network's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

RAMP = 10  # steps over which the decay rises, so the initial weights are soon forgotten


class EMA:
    """The EMA of all weights and of the norm layers' statistics.

    Args:
        network: the network in training; the average starts from its weights.
        decay: share of the average that a step keeps, in [0, 1); 0.99 averages about 100 steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.values = {name: value.clone() for name, value in self._network_tensors().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Update the average with the weights after `step` steps."""
        decay = min(self.decay, (1 + step) / (RAMP + step))
        tensors = self._network_tensors()
        torch._foreach_lerp_(
            [self.values[name] for name in tensors], [*tensors.values()], 1 - decay
        )

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Swap the averaged weights into the network, and the network's own back on exit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Load the average from a checkpoint."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, value in self._network_tensors().items():
            kept = value.clone()
            value.copy_(self.values[name])
            self.values[name].copy_(kept)

    def _network_tensors(self) -> dict[str, Tensor]:
        state = self.network.state_dict()  # tensors that share the weights' memory
        return {name: value for name, value in state.items() if value.is_floating_point()}
