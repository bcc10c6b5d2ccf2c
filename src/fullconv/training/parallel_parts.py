"""Compute the backbone on parts of a batch at the same time, each on its share of the cores.

Cores that compute a layer together wait for each other several times in it, which takes long while
other programs use them. Parts of a batch wait twice a step, after the backbone's forward and its
backward pass. What follows the backbone is computed on the whole batch, so batch norm there and the
loss see all of it. The number of parts does not change with the load of the machine, so a training
repeats to the bit.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from math import ceil

import torch
from torch import Tensor, nn

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError
from fullconv.hardware import computing_threads, thread_pool
from fullconv.networks.fcn import FCN
from fullconv.training.batch_norm import mixes_images
from fullconv.training.distributed import ProcessGroup

MOST_WEIGHTS = 50_000_000  # of a network that is copied: each copy has gradients of its own
PROBE = 64  # rows and columns of a small image
MOST_IDLE = 0.2  # of the cores' time, while the largest part is computed

Maps = dict[str, Tensor]


class ParallelParts:
    """Copies of a network that share its weights and compute parts of a batch at the same time.

    Forward and backward passes are separate, so that what is between them is computed on the whole
    batch.

    Args:
        network: in training, its frozen weights marked.
        count: number of parts, 2 or more.
    """

    def __init__(self, network: FCN, count: int) -> None:
        self.network = network
        self.networks = (network, *(_copy(network) for _ in range(count - 1)))
        self._pool = thread_pool(count)

    def __len__(self) -> int:
        return len(self.networks)

    def maps(self, function: Callable[[FCN, Tensor], Maps], batch: Tensor) -> tuple[Maps, ...]:
        """Call a function with a network and each part of a batch; return each part's maps.

        Args:
            function: called at the same time for all parts.
            batch: images (B, ...), B at least the number of parts.
        """
        self._share_state()
        return tuple(self._pool.map(function, self.networks, batch.tensor_split(len(self))))

    def joined(self, parts: Sequence[Maps]) -> Maps:
        """Return the maps of the whole batch, with respect to which a loss is differentiated."""
        joined = {}
        for name in parts[0]:
            maps = [part[name] for part in parts]
            joined[name] = torch.cat([each.detach() for each in maps])
            joined[name].requires_grad_(maps[0].requires_grad)
        return joined

    def backward(self, parts: Sequence[Maps], joined: Maps) -> None:
        """Add the gradients of all parts to the network's, from the gradients of `joined`."""
        names = [name for name, each in joined.items() if each.grad is not None]
        if not names:
            return  # the weights that computed the maps are frozen
        gradients = zip(*(_split(joined[name], len(self)) for name in names), strict=True)
        maps = ([part[name] for name in names] for part in parts)
        list(self._pool.map(torch.autograd.backward, maps, gradients))
        self._collect()

    @torch.no_grad()
    def _collect(self) -> None:
        """Add the copies' gradients to the network's."""
        for copy in self.networks[1:]:
            sums: list[Tensor] = []
            added: list[Tensor] = []
            for own, other in zip(self.network.parameters(), copy.parameters(), strict=True):
                if other.grad is None:
                    continue
                if own.grad is None:
                    own.grad = torch.zeros_like(own)
                sums.append(own.grad)
                added.append(other.grad)
                other.grad = None
            if sums:
                torch._foreach_add_(sums, added)

    @torch.no_grad()
    def _share_state(self) -> None:
        """Give the copies the network's weights, statistics and modes."""
        for copy in self.networks[1:]:
            for own, other in zip(self.network.parameters(), copy.parameters(), strict=True):
                other.data = own.data
            for value, copied in zip(self.network.buffers(), copy.buffers(), strict=True):
                copied.copy_(value)
            for one, another in zip(self.network.modules(), copy.modules(), strict=True):
                another.training = one.training


def count_parts(
    config: TrainConfig,
    network: FCN,
    batch: int,
    device: torch.device,
    group: ProcessGroup,
) -> int:
    """Return how many parts of a batch are computed at the same time.

    That is 1 on a GPU, in several processes and in a compiled network, whatever is set.

    Args:
        config: of the training; an open `parallel_parts` is decided by the other arguments.
        network: one with many weights is not copied, unless the setting says so.
        batch: number of images.
        device: of the training.
        group: the processes that share each batch.

    Raises:
        ConfigError: `parallel_parts` is set for a network whose backbone mixes the images of a
            batch (batch norm that is not frozen) or draws random numbers (dropout), whose order
            would depend on chance.
    """
    wanted, most = config.parallel_parts, batch // config.accumulate
    if device.type != "cpu" or group.size > 1 or config.compile:
        return 1  # the setting may have been decided for a CPU: config.yaml stores it
    if wanted is None:
        parts = balanced_parts(max(1, most), computing_threads())
        unsuited = parts < 2 or mixes_images(network, config.freezes_bn) or _is_large(network)
        return 1 if unsuited or draws_numbers(network) else parts
    mixed = mixes_images(network, config.freezes_bn)
    if wanted > 1 and (mixed or draws_numbers(network)):
        raise ConfigError(
            f"parallel_parts is {wanted}, but parts of a batch are computed at the same time only "
            "without dropout, and with batch norm frozen (freeze_bn); leave parallel_parts out, or "
            "set it to 1"
        )
    return max(1, min(wanted, most))


def balanced_parts(batch: int, threads: int) -> int:
    """Return the most parts of a batch, at most one per thread, that leave few cores idle.

    A batch of 3 is not divided on two cores: one of them would wait for a quarter of the time.

    Args:
        batch: number of images, 1 or more.
        threads: all of them; each part is computed by an equal number.
    """

    def idle(parts: int) -> float:
        return 1 - batch / threads / (ceil(batch / parts) / (threads // parts))

    return max(parts for parts in range(1, min(batch, threads) + 1) if idle(parts) <= MOST_IDLE)


def draws_numbers(network: FCN) -> bool:
    """Whether a network's backbone draws random numbers in training, as dropout does."""
    copy = _copy(network).train()
    parameter = next(network.parameters())
    shape = 2, network.channels, PROBE, PROBE
    image = torch.zeros(shape, dtype=parameter.dtype, device=parameter.device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        copy.features(image)
        return not torch.equal(torch.get_rng_state(), before)


def _is_large(network: FCN) -> bool:
    return sum(p.numel() for p in network.parameters()) > MOST_WEIGHTS


def _split(joined: Tensor, count: int) -> Sequence[Tensor]:
    assert joined.grad is not None
    return joined.grad.tensor_split(count)


def _copy(network: FCN) -> FCN:
    """Copy a network; its weights share the memory of the original's, and have own gradients."""
    shared = {
        id(p): nn.Parameter(p.detach(), requires_grad=p.requires_grad) for p in network.parameters()
    }
    return deepcopy(network, shared)
