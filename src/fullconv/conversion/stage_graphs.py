"""Convert a network to one ONNX graph for each of its stages."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from fullconv.conversion.fold import fold_batch_norms
from fullconv.conversion.onnx_graph import add_calls
from fullconv.conversion.portable import make_portable
from fullconv.conversion.record import NetworkCalls, record_calls
from fullconv.conversion.sides import MapSide
from fullconv.errors import ExportError, GeometryError
from fullconv.inference.planner.map_grids import alignment
from fullconv.inference.planner.stages import Stage, find_stages
from fullconv.inference.runtimes import quiet
from fullconv.inference.streaming.graph import OpGraph, record_ops
from fullconv.networks.tracing.ops import UnsupportedOpError

SIDE = 2048  # pixels; of the image in whose maps stages are found


@dataclass(frozen=True)
class StageGraph:
    """A stage as a graph.

    Attributes:
        content: the graph with its weights, as the bytes of an .onnx file.
        inputs: index of each map that it is given -> the name of the input.
        sides: sides of other maps that it is given -> likewise.
        outputs: names of the outputs, in the order of the stage's.
    """

    content: bytes
    inputs: dict[int, str]
    sides: dict[MapSide, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class StagedGraphs:
    """A network in stages, before they are converted.

    Attributes:
        network: simpler layers with the same scores, see `make_portable`.
        stages: of it, in their order.
        calls: of the network.
    """

    network: nn.Module
    stages: tuple[Stage, ...]
    calls: NetworkCalls

    def graphs(self) -> Iterator[StageGraph]:
        """Yield the graph of each stage.

        Raises:
            ExportError: a call has no rule.
        """
        for stage in self.stages:
            try:
                yield _graph(self.calls, stage)
            except UnsupportedOpError as error:
                raise ExportError(f"this network {error}") from error


def staged_graphs(network: nn.Module) -> StagedGraphs:
    """Divide a network into stages.

    Raises:
        ExportError: a part of its scores cannot be computed alone, or a call has no rule.
    """
    portable = make_portable(network)
    try:
        calls = record_calls(portable)
        graph = record_ops(portable, (SIDE, SIDE), weights=False, allow_global=True)
        step = alignment(graph)
        if SIDE % step:
            side = -(-SIDE // step) * step
            graph = record_ops(portable, (side, side), weights=False, allow_global=True)
    except (UnsupportedOpError, GeometryError) as error:
        raise ExportError(f"this network {error}") from error
    _check_same(graph, calls)
    folded = fold_batch_norms(calls)
    visible = {0} | {index for call in folded.calls for index in call.outputs}
    return StagedGraphs(portable, find_stages(graph, visible), folded)


def _check_same(graph: OpGraph, calls: NetworkCalls) -> None:
    """Check that ops and calls are the same, so that their maps have the same indices.

    Raises:
        ExportError: they are not.
    """
    recorded = [(op.name, op.outputs) for op in graph.ops]
    if recorded != [(call.call.name, call.outputs) for call in calls.calls]:
        raise ExportError("this network makes other calls for images of other sizes")


def _graph(recorded: NetworkCalls, stage: Stage) -> StageGraph:
    import onnx_ir

    from fullconv.conversion.onnx_builder import GraphBuilder

    inputs = {index: f"map{index}" for index in stage.inputs}
    outputs = tuple(f"result{index}" for index in stage.outputs)
    graph = GraphBuilder(recorded.fixed, recorded.shapes, recorded.names, inputs)
    order = {index: number for number, index in enumerate(stage.made)}
    calls = [call for call in recorded.calls if call.outputs[0] in order]
    add_calls(graph, sorted(calls, key=lambda call: order[call.outputs[0]]))
    made = {
        name: (graph.values[index], _shape(recorded, index))
        for name, index in zip(outputs, stage.outputs, strict=True)
    }
    model = graph.model(made, [_shape(recorded, index) for index in stage.inputs])
    with quiet():
        content = onnx_ir.to_proto(model).SerializeToString()
    return StageGraph(content, inputs, graph.sides_given, outputs)


def _shape(recorded: NetworkCalls, index: int) -> list[int | str]:
    """Return the shape of a map of one image, with names for what depends on the image's size."""
    shape: list[int | str] = []
    for dim, side in enumerate(recorded.shapes[index]):
        known = dim == 0 or MapSide(index, dim) in recorded.fixed
        shape.append(side if known else f"side{index}.{dim}")
    return shape
