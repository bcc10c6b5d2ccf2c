"""Data-parallel training in several processes, as torchrun starts them."""

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError

TIMEOUT = timedelta(hours=2)  # the other processes wait while the main one writes the report

Item = TypeVar("Item")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together: this one's rank, from 0, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's part of a list; each item is in exactly one part."""
        return items[self.rank :: self.size]

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def all_reduce_max(self, number: int, device: torch.device) -> int:
        """Return the maximum of a number over all processes."""
        if self.size == 1:
            return number
        result = torch.tensor(number, device=device)
        torch.distributed.all_reduce(result, torch.distributed.ReduceOp.MAX)
        return int(result)

    def broadcast(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite the tensors of every process with those of the main process."""
        if self.size > 1:
            for name in sorted(tensors):
                torch.distributed.broadcast(tensors[name], 0)

    def broadcast_text(self, text: str) -> str:
        """Return the text that the main process passes, in every process."""
        if self.size == 1:
            return text
        device = torch.device("cuda" if torch.distributed.get_backend() == "nccl" else "cpu")
        letters = list(text.encode()) if self.is_main else []
        length = self.all_reduce_max(len(letters), device)
        message = torch.tensor(letters + [0] * (length - len(letters)), device=device)
        torch.distributed.broadcast(message, 0)
        return bytes(message.tolist()).decode()


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def init_distributed(device: str = "auto") -> Iterator[ProcessGroup]:
    """Join the process group that the environment describes: gloo on CPUs, nccl on GPUs.

    Raises:
        ConfigError: the environment variables are invalid, or the processes cannot connect.
    """
    try:
        group = ProcessGroup(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
        local_rank = int(os.environ.get("LOCAL_RANK", 0))
    except ValueError as error:
        raise ConfigError(
            f"RANK, WORLD_SIZE or LOCAL_RANK in the environment is not a number ({error}); start "
            "with torchrun, or unset them"
        ) from error
    if group.size == 1:
        yield SINGLE_PROCESS
        return
    gpu = torch.cuda.is_available() and not device.startswith("cpu")
    if gpu:
        torch.cuda.set_device(local_rank)
    try:
        torch.distributed.init_process_group("nccl" if gpu else "gloo", timeout=TIMEOUT)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE is {group.size}, but the processes could not connect: {error}; start them "
            "with torchrun, or unset WORLD_SIZE"
        ) from error
    try:
        yield group
    finally:
        torch.distributed.destroy_process_group()


def wrap_network(
    network: nn.Module, config: TrainConfig, device: torch.device, group: ProcessGroup
) -> nn.Module:
    """Compile the network if the settings ask for it, and share gradients across processes.

    Raises:
        ConfigError: sync_bn is set for a device on which PyTorch does not support it.
    """
    if config.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    if group.size == 1:
        return network
    if config.sync_bn and device.type != "cuda":
        raise ConfigError("sync_bn: PyTorch synchronizes batch norm on GPUs only")
    parameters = inspect.signature(DistributedDataParallel.__init__).parameters
    key = "forward_sync_buffers" if "forward_sync_buffers" in parameters else "broadcast_buffers"
    # Without find_unused_parameters, DDP regroups the gradients after the first step, which sums
    # three or more numbers in another order: a resumed training would end in other bytes.
    settings: dict[str, Any] = {
        "device_ids": [device] if device.type == "cuda" else None,
        key: False,
        "find_unused_parameters": True,
    }
    return DistributedDataParallel(network, **settings)


def no_gradient_sync(network: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which gradients accumulate locally, without an exchange."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
