"""Data-parallel training under torchrun."""

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

PATIENCE = timedelta(hours=2)  # the others wait so long, while the first writes the report

Item = TypeVar("Item")


@dataclass(frozen=True)
class ProcessGroup:
    """Who trains together.

    Attributes:
        rank: of this process, from 0.
        size: processes in all.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part of a list: every one is in exactly one part."""
        return items[self.rank :: self.size]

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """The sum of everybody's tensor, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def all_reduce_max(self, number: int, device: torch.device) -> int:
        """The largest of everybody's numbers."""
        if self.size == 1:
            return number
        found = torch.tensor(number, device=device)
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return int(found)

    def broadcast(self, tensors: Mapping[str, Tensor]) -> None:
        """Make everybody's tensors those of the first process."""
        if self.size > 1:
            for name in sorted(tensors):
                torch.distributed.broadcast(tensors[name], 0)

    def broadcast_text(self, text: str) -> str:
        """What the first process says."""
        if self.size == 1:
            return text
        device = torch.device("cuda" if torch.distributed.get_backend() == "nccl" else "cpu")
        letters = list(text.encode()) if self.is_main else []
        length = self.all_reduce_max(len(letters), device)
        message = torch.tensor(letters + [0] * (length - len(letters)), device=device)
        torch.distributed.broadcast(message, 0)
        return bytes(message.tolist()).decode()


ALONE = ProcessGroup()


@contextmanager
def init_distributed(device: str = "auto") -> Iterator[ProcessGroup]:
    """The team that the environment speaks of; over gloo on CPUs, over nccl on GPUs.

    Raises:
        ConfigError: the environment names a team that cannot be.
    """
    try:
        team = ProcessGroup(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
        place = int(os.environ.get("LOCAL_RANK", 0))
    except ValueError as error:
        raise ConfigError(
            f"RANK, WORLD_SIZE or LOCAL_RANK in the environment is no number ({error}); start "
            "with torchrun, or unset them"
        ) from error
    if team.size == 1:
        yield ALONE
        return
    gpu = torch.cuda.is_available() and not device.startswith("cpu")
    if gpu:
        torch.cuda.set_device(place)
    try:
        torch.distributed.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"WORLD_SIZE is {team.size}, but the processes did not meet: {error}; start them with "
            "torchrun, or unset WORLD_SIZE"
        ) from error
    try:
        yield team
    finally:
        torch.distributed.destroy_process_group()


def shared(
    network: nn.Module, config: TrainConfig, device: torch.device, team: ProcessGroup
) -> nn.Module:
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
