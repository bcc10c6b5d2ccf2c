"""The network as it is called in training: compiled, and with its gradients shared by a team."""

import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError
from fullconv.team import Team


def shared(network: nn.Module, config: TrainConfig, device: torch.device, team: Team) -> nn.Module:
    """The network, compiled if asked for, and with its gradients shared where others train it too.

    Raises:
        ConfigError: statistics of norms are to be shared where PyTorch cannot.
    """
    if config.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    if team.size == 1:
        return network
    if config.sync_bn and device.type != "cuda":
        raise ConfigError("sync_bn: PyTorch shares the norms' statistics on GPUs only")
    places = [device] if device.type == "cuda" else None
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    key = "forward_sync_buffers" if "forward_sync_buffers" in parameters else "broadcast_buffers"
    # Otherwise the gradients are put into another order after the first step, in which three
    # numbers or more have another sum: a training that is gone on with would end in other bytes.
    settings: dict[str, Any] = {"device_ids": places, key: False, "find_unused_parameters": True}
    return DistributedDataParallel(network, **settings)


def gradients_stay(network: nn.Module) -> AbstractContextManager[None]:
    """Inside, gradients are added up here, and the other processes are not asked for theirs."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
