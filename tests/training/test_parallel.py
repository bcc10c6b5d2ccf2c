"""A single process is not wrapped; settings that PyTorch cannot distribute are rejected."""

import pytest
import torch
from torch import nn

import fullconv as fc
from fullconv.errors import ConfigError
from fullconv.training.distributed import (
    SINGLE_PROCESS,
    ProcessGroup,
    no_gradient_sync,
    wrap_network,
)

CPU = torch.device("cpu")


def test_a_single_process_is_not_wrapped_and_accumulates_gradients():
    network = nn.Linear(1, 1)
    assert wrap_network(network, fc.TrainConfig(), CPU, SINGLE_PROCESS) is network
    for _ in range(2):
        with no_gradient_sync(network):
            network(torch.ones(1, 1)).backward()
    assert network.bias.grad.item() == 2


def test_sync_bn_needs_gpus():
    with pytest.raises(ConfigError, match=r"sync_bn: PyTorch synchronizes batch norm on GPUs only"):
        wrap_network(nn.Linear(1, 1), fc.TrainConfig(sync_bn=True), CPU, ProcessGroup(0, 2))
