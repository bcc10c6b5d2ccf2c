"""A model for every thread that asks at the same time: they share the weights, and no more.

To plan an answer, PyTorch puts other tensors into a network's layers for a moment, which no other
thread may see.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from fullconv.batch.fingerprint import file_fingerprint
from fullconv.errors import ConfigError
from fullconv.export.exported import Exported, open_model
from fullconv.inference.cpu.optimize import Quick
from fullconv.model import Model


class ModelPool:
    """Copies of a model around the same weights, one for each thread that is answering.

    Args:
        model: is copied, and never used: a copy is taken at any moment.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._idle: list[Model] = []

    def optimize(self) -> None:
        """Prepare for many answers on this CPU; see `optimizing`. Those of before are let go."""
        self._model.optimize()
        self._idle.clear()

    @contextmanager
    def borrow(self) -> Iterator[Model]:
        """One of them, for one answer."""
        try:
            twin = self._idle.pop()
        except IndexError:
            twin = self._twin()
        try:
            yield twin
        finally:
            self._idle.append(twin)

    def fresh(self) -> Model:
        """Another one, for whoever needs it longer, that is not prepared for many answers."""
        twin = self._twin()
        if not isinstance(twin, Exported):
            twin.network.optimized_backbone = None
        return twin

    def _twin(self) -> Model:
        model = self._model
        if isinstance(model, Exported):  # its engine allows several threads
            return model
        network = model.network
        shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        twin = copy.deepcopy(network, shared)
        if isinstance(network.optimized_backbone, Quick):
            twin.optimized_backbone = replace(
                network.optimized_backbone, backbone=twin.backbone, rims={}
            )
        return Model(twin, model.classes, model.palette, model.size)


@lru_cache(maxsize=1)
def open_twins(path: str, fingerprint: str, device: str) -> ModelPool:
    """The model at `path`, read once.

    Args:
        path: a run folder, a .safetensors file or an exported one.
        fingerprint: of the file that is meant; see `identity`.
        device: "cpu", "cuda", ...

    Raises:
        ConfigError: another model lies there by now, or on this machine.
    """
    if file_fingerprint(path) != fingerprint:
        raise ConfigError(f"{path} is not the same model here as where the job was begun")
    model = open_model(path)
    model.network.to(device).eval()
    return ModelPool(model)
