"""Optimize a network for inference on a CPU: scores equal to 1e-5 of the largest, and much faster.

Weights are packed once in oneDNN's layout, batch norm and ReLU are fused into convolutions, and
maps are channels_last. 3 x 3 convolutions of many channels use Winograd's algorithm, fc6 is one
matrix product, and the borders of the padding (see `sparse`) are cached. In backbones of other
libraries, batch norm is fused and maps are channels_last. The network's own layers, and what is
saved, do not change.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.hardware import usable_cores
from fullconv.inference.cpu.fuse_bn import fuse_batch_norms
from fullconv.inference.cpu.network_state import NetworkState, count_changes
from fullconv.inference.cpu.packed_conv import pack_layers
from fullconv.inference.heap import keep_heap
from fullconv.networks.backbones import TracedBackbone
from fullconv.networks.fcn import FCN
from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding import sparse
from fullconv.networks.padding.regions import can_split

TRIED = 96  # rows and columns of the image on which a fused backbone is checked
CLOSE = (
    1e-4  # relative to the largest value; rounding gives a tenth, a misplaced norm a hundred times
)
MIN_IMAGES = 5  # from this number of images on, optimizing saves time, including its own
LAYOUTS = 16  # cached borders; each takes about a megabyte


@dataclass
class OptimizedBackbone:
    """Optimized layers of a backbone, valid as long as its weights do not change.

    Attributes:
        backbone: the original.
        layers: the optimized layers.
        names: features that they provide.
        state: of the original.
        borders: see `sparse.features`.
    """

    backbone: nn.Module
    layers: NamedSequential | TracedBackbone
    names: frozenset[str]
    state: NetworkState
    borders: sparse.Borders = field(default_factory=lambda: sparse.Borders(LAYOUTS))

    def can_run(self, x: Tensor, names: Iterable[str]) -> bool:
        """Return whether it can replace the backbone: inference only, and weights unchanged."""
        learning = torch.is_grad_enabled()
        # Tracing, e.g. for an export, needs standard operators.
        traced = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
        if learning or traced or x.device.type != "cpu" or x.dtype != torch.float32:
            return False
        return self.names.issuperset(names) and self.state.is_current()

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the outputs of the named layers."""
        x = x.contiguous(memory_format=torch.channels_last)
        if isinstance(self.layers, NamedSequential):
            return sparse.features(self.layers, x, names, self.borders)
        return self.layers.features(x, names)

    def __reduce__(self) -> tuple[Any, ...]:
        """Become None in a copied or pickled network, which has to be optimized itself."""
        return _not_optimized, ()


def _not_optimized() -> None:
    """Return what stands for optimized layers in a copy."""


def optimize(network: nn.Module) -> bool:
    """Optimize a network for inference on this machine's CPU.

    This takes seconds and, for VGG-16, 0.8 GiB of memory, so it pays for `MIN_IMAGES` images and
    more. If a weight changes later, the network computes as before.

    Returns:
        Whether the network is optimized: not on a GPU, and not with weights of other precisions.
    """
    set_threads()
    keep_heap()
    if not isinstance(network, FCN) or not isinstance(
        network.backbone, NamedSequential | TracedBackbone
    ):
        return False
    backbone = network.backbone
    if not torch.backends.mkldnn.is_available() or not _is_supported(backbone):  # type: ignore[no-untyped-call]
        return False
    network.eval()
    count_changes(network)
    known = network.optimized_backbone
    if (
        isinstance(known, OptimizedBackbone)
        and known.backbone is backbone
        and known.state.is_current()
    ):
        return True
    with torch.no_grad():
        network.optimized_backbone = (
            _optimize_chain(backbone)
            if isinstance(backbone, NamedSequential)
            else _optimize_traced(network)
        )
    return network.optimized_backbone is not None


def set_threads() -> int:
    """Limit PyTorch's threads to the usable cores, unless OMP_NUM_THREADS is set.

    PyTorch ignores the limits of containers, and more threads than cores wait for each other.
    """
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(max(1, min(torch.get_num_threads(), usable_cores())))
    return torch.get_num_threads()


def _is_supported(backbone: NamedSequential | TracedBackbone) -> bool:
    """Return whether all layers can be optimized and all weights are float32 on the CPU."""
    for layer in backbone.children() if isinstance(backbone, NamedSequential) else ():
        if isinstance(layer, nn.Conv2d) and not can_split(layer):
            return False
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
            return False
    weights = {(weight.dtype, weight.device.type) for weight in backbone.parameters()}
    return weights == {(torch.float32, "cpu")}


def _optimize_chain(chain: NamedSequential) -> OptimizedBackbone:
    layers = NamedSequential(pack_layers(chain)).eval()
    return OptimizedBackbone(chain, layers, frozenset(layers._modules), NetworkState(chain))


def _optimize_traced(network: FCN) -> OptimizedBackbone | None:
    """Optimize a backbone of another library; None if its features would change."""
    backbone = network.backbone
    assert isinstance(backbone, TracedBackbone)
    shape = 1, network.channels, TRIED, TRIED
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 255
    x, names = network.normalize(image), frozenset({network.top, *network.skips})
    optimized = OptimizedBackbone(
        backbone, fuse_batch_norms(backbone, x), names, NetworkState(backbone)
    )
    before, after = backbone.features(x, names), optimized.features(x, names)
    off = {name: (after[name] - before[name]).abs().max() for name in names}
    close = all(off[name] <= CLOSE * before[name].abs().max() for name in names)
    return optimized if close else None
