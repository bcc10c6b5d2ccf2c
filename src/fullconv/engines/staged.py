"""A network that an engine computes in stages, for images that it has no memory for at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fullconv.conversion.sides import MapSide
from fullconv.conversion.stage_graphs import StageGraph, staged_graphs
from fullconv.engines.proof import SPOT, check_scores, sample_image
from fullconv.errors import ExportError
from fullconv.inference.planner.windows import ShapeOf, StagedNetwork, divide_stages
from fullconv.inference.runtimes import RunStage, explained_crash
from fullconv.inference.scores_in_windows import whole_scores
from fullconv.networks.fcn import FCN

UNBOUNDED = 2**62  # bytes


class StageRunner:
    """Computes the stages of a network in an engine.

    Args:
        graphs: of the stages.
        open_graph: opens one in the engine.
    """

    def __init__(
        self, graphs: Sequence[StageGraph], open_graph: Callable[[bytes], RunStage]
    ) -> None:
        self._names = [(graph.inputs, graph.sides) for graph in graphs]
        self._runs = [open_graph(graph.content) for graph in graphs]

    def __call__(
        self, stage: int, maps: Mapping[int, Tensor], shape_of: ShapeOf
    ) -> Sequence[Tensor]:
        """Return the outputs of a stage; see `planner.windows.Compute`."""
        inputs, sides = self._names[stage]
        given = {name: maps[index].contiguous().numpy() for index, name in inputs.items()}
        given |= {name: _side(side, shape_of) for side, name in sides.items()}
        with explained_crash("its engine cannot compute a part of an image"):
            return [torch.from_numpy(array) for array in self._runs[stage](given)]

    def __reduce__(self) -> tuple[Any, ...]:
        """Become None in a copied or pickled plan."""
        return _no_runner, ()


def open_staged(network: FCN, open_graph: Callable[[bytes], RunStage]) -> StagedNetwork:
    """Convert a network in stages, and compare its scores with PyTorch's.

    Args:
        network: in evaluation mode.
        open_graph: opens the graph of a stage in the engine.

    Raises:
        ExportError: it cannot be converted in stages, or a score differs; see `compare`.
        EngineError: the engine cannot run the stages.
    """
    made = staged_graphs(network)
    with explained_crash("its stages cannot be run"):
        compute = StageRunner(list(made.graphs()), open_graph)
    staged = StagedNetwork(made.network, made.stages, compute)
    for size in SPOT:
        image = sample_image(size)
        division = divide_stages(staged, size, UNBOUNDED)
        if division is None:
            raise ExportError("the scores of a part depend on the size of the whole image")
        with torch.inference_mode():
            check_scores(made.network(image), whole_scores(network, image, division))
    return staged


def _side(side: MapSide, shape_of: ShapeOf) -> np.ndarray:
    return np.array([shape_of(side.index)[side.dim]], np.int64)


def _no_runner() -> None:
    """Return what stands for the stages of an engine in a copy."""
