"""A network made ready to answer on a CPU: the same scores to 1e-5 of the largest, much sooner.

Weights are laid out once as oneDNN wants them, batch norm is folded into them, ReLU is computed on
the way, and maps are channels_last. 3 x 3 convolutions of many maps go by Winograd's way, fc6 goes
as one product of matrices, and the borders of the padding (see `sparse`) are kept. Of other
libraries' backbones, whose layers are not known, batch norm is folded and maps are channels_last.
The network itself, and what is saved of it, stays as it is.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.hardware import usable_cores
from fullconv.inference.cpu.fuse_bn import fuse_batch_norms
from fullconv.inference.cpu.packed_conv import packed
from fullconv.networks.backbones import TracedBackbone
from fullconv.networks.fcn import FCN
from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding import sparse
from fullconv.networks.padding.regions import can_split, has_hooks

TRIED = 96  # rows of the image that a folded backbone is tried on
CLOSE = 1e-4  # of the largest value; rounding is a tenth, a norm in the wrong place a hundred times
PAYS = 5  # photos from which the answers are sooner, the preparation included
LAYOUTS = 16  # of borders that are kept; each is about a megabyte


@dataclass
class Quick:
    """A backbone's layers prepared, for as long as its weights are what they were.

    Attributes:
        backbone: the original.
        layers: what is computed instead.
        names: the features that it gives.
        state: of the original's weights when they were prepared.
        borders: see `sparse.features`.
    """

    backbone: nn.Module
    layers: NamedSequential | TracedBackbone
    names: frozenset[str]
    state: tuple[tuple[int, int], ...]
    borders: sparse.Borders = field(default_factory=dict)
    _modules: tuple[nn.Module, ...] = field(init=False)  # to walk through them takes milliseconds

    def __post_init__(self) -> None:
        self._modules = tuple(self.backbone.modules())

    def can_run(self, x: Tensor, names: Iterable[str]) -> bool:
        """Whether it can answer for the backbone: nothing is learned, no weight has changed."""
        learning = torch.is_grad_enabled() or self.backbone.training
        # Whoever follows the computation, for an export, wants to see operators that it knows.
        followed = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
        if learning or followed or x.device.type != "cpu" or x.dtype != torch.float32:
            return False
        if not self.names.issuperset(names) or any(map(has_hooks, self._modules)):
            return False
        return self.state == _state(self._modules)

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the layers called `names`."""
        if len(self.borders) > LAYOUTS:
            self.borders.clear()
        x = x.contiguous(memory_format=torch.channels_last)
        if isinstance(self.layers, NamedSequential):
            return sparse.features(self.layers, x, names, self.borders)
        return self.layers.features(x, names)

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        """A copied network is another one, to be optimised by itself."""


def optimize(network: nn.Module) -> bool:
    """Prepare a network for answers on this machine's CPU.

    It takes seconds and, with VGG-16, 0.8 GiB of memory, so it pays from `PAYS` photos on. When a
    weight changes later, the network computes as before.

    Returns:
        Whether there was anything to do: not on a GPU, nor where weights are of another precision.
    """
    set_threads()
    if not isinstance(network, FCN) or not isinstance(
        network.backbone, NamedSequential | TracedBackbone
    ):
        return False
    backbone = network.backbone
    if not torch.backends.mkldnn.is_available() or not _plain(backbone):  # type: ignore[no-untyped-call]
        return False
    state = _state(backbone.modules())
    if isinstance(network.optimized_backbone, Quick) and network.optimized_backbone.state == state:
        return True
    network.eval()
    with torch.no_grad():
        network.optimized_backbone = (
            _of_chain(backbone) if isinstance(backbone, NamedSequential) else _of_foreign(network)
        )
    return network.optimized_backbone is not None


def set_threads() -> int:
    """Let PyTorch use as many threads as this process may use cores, unless OMP_NUM_THREADS says.

    A container's limit counts, which PyTorch does not know of: more threads than cores wait for
    each other.
    """
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(max(1, min(torch.get_num_threads(), usable_cores())))
    return torch.get_num_threads()


def _plain(backbone: NamedSequential | TracedBackbone) -> bool:
    """Whether all that its answers depend on is single precision weights on the CPU."""
    for layer in backbone.children() if isinstance(backbone, NamedSequential) else ():
        if isinstance(layer, nn.Conv2d) and not can_split(layer):
            return False
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
            return False
    weights = {(one.dtype, one.device.type) for one in backbone.parameters()}
    return weights == {(torch.float32, "cpu")}


def _of_chain(chain: NamedSequential) -> Quick:
    layers = NamedSequential(packed(chain)).eval()
    return Quick(chain, layers, frozenset(layers._modules), _state(chain.modules()))


def _of_foreign(network: FCN) -> Quick | None:
    """Of a backbone whose layers are not known; None where its scores would be others."""
    backbone = network.backbone
    assert isinstance(backbone, TracedBackbone)
    image = torch.rand(1, 3, TRIED, TRIED, generator=torch.Generator().manual_seed(0)) * 255
    x, names = network.normalize(image), frozenset({network.top, *network.skips})
    quick = Quick(backbone, fuse_batch_norms(backbone, x), names, _state(backbone.modules()))
    before, after = backbone.features(x, names), quick.features(x, names)
    off = {name: (after[name] - before[name]).abs().max() for name in names}
    close = all(off[name] <= CLOSE * before[name].abs().max() for name in names)
    return quick if close else None


def _state(modules: Iterable[nn.Module]) -> tuple[tuple[int, int], ...]:
    """Changes whenever a weight is replaced, or written to by anything but `.data`."""
    held = (
        one for each in modules for one in (*each._parameters.values(), *each._buffers.values())
    )
    tensors = (one for one in held if one is not None)
    return tuple((one.data_ptr(), 0 if one.is_inference() else one._version) for one in tensors)
