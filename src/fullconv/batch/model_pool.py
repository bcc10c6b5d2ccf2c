"""A pool of models, one per thread, that share weights.

PyTorch's planning puts other tensors into a network's layers for a moment, which no other thread
may see.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from fullconv.batch.fingerprint import file_fingerprint
from fullconv.errors import ConfigError
from fullconv.inference.cpu.optimize import OptimizedBackbone
from fullconv.model import Model, load


class ModelPool:
    """Lend copies of a model that share its weights.

    Args:
        model: copied on demand, and never used itself.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._idle: list[Model] = []

    def optimize(self) -> None:
        """Optimize the network for many predictions on this CPU; discards pooled models."""
        self._model.optimize()
        self._idle.clear()

    @contextmanager
    def borrow(self) -> Iterator[Model]:
        """Yield a model that no other thread uses meanwhile."""
        try:
            model = self._idle.pop()
        except IndexError:
            model = self._copy()
        try:
            yield model
        finally:
            self._idle.append(model)

    def fresh(self) -> Model:
        """Return a new copy, not pooled and not optimized for many predictions."""
        model = self._copy()
        if not model.exported:
            model.network.optimized_backbone = None
        return model

    def _copy(self) -> Model:
        model = self._model
        if model.exported:  # its runtime is thread-safe
            return model
        network = model.network
        shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        clone = copy.deepcopy(network, shared)
        if isinstance(network.optimized_backbone, OptimizedBackbone):
            clone.optimized_backbone = replace(
                network.optimized_backbone, backbone=clone.backbone, borders={}
            )
        return model.with_network(clone)


@lru_cache(maxsize=1)
def open_pool(path: str, fingerprint: str, device: str) -> ModelPool:
    """Load the model at `path` once per process.

    Args:
        path: a run folder, a .safetensors file or an exported file.
        fingerprint: the expected `file_fingerprint`.
        device: "cpu", "cuda", ...

    Raises:
        ConfigError: the file is another model than the one the job was created with.
    """
    found = file_fingerprint(path)
    if found != fingerprint:
        raise ConfigError(
            f"{path} is not the model that the job was created with (fingerprint {found}, "
            f"expected {fingerprint})"
        )
    model = load(path)
    model.network.to(device).eval()
    return ModelPool(model)
