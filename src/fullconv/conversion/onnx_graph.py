"""Convert a network to an ONNX graph, which ONNX Runtime runs and OpenVINO imports."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fullconv.conversion.fold import fold_batch_norms, fold_paddings
from fullconv.conversion.portable import make_portable
from fullconv.conversion.record import NetworkCall, record_calls
from fullconv.errors import ExportError, GeometryError, require
from fullconv.inference.runtimes import INPUT, OUTPUT, first_line, quiet
from fullconv.networks.tracing.ops import UnsupportedOpError

if TYPE_CHECKING:
    import onnx_ir as ir

    from fullconv.conversion.onnx_builder import GraphBuilder

_FREE_IMAGE: tuple[int | str, ...] = ("batch", 3, "height", "width")
_FREE_SCORES: tuple[int | str, ...] = ("batch", "classes", "height", "width")


def onnx_graph(
    network: nn.Module, size: tuple[int, int] | None = None, *, patient: bool = True
) -> "ir.Model":
    """Return the network's graph and weights, for any batch and size, or for one image of `size`.

    The graph is written from the calls that the network makes, in a fraction of a second. A network
    with a call that no rule of `onnx_ops` knows is left to PyTorch's exporter.

    Args:
        network: in evaluation mode.
        size: (height, width) of all images; None for any size.
        patient: whether to use PyTorch's exporter, which takes half a minute, if need be.

    Raises:
        ExportError: it has an operation that ONNX lacks.
    """
    try:
        return write_calls(make_portable(network, size), size)
    except (UnsupportedOpError, GeometryError) as error:
        if patient:
            return exported_graph(network, size)
        raise ExportError(f"this network {error}, so its conversion would take long") from error


def write_calls(network: nn.Module, size: tuple[int, int] | None = None) -> "ir.Model":
    """Return the graph of the calls that a network makes.

    Raises:
        UnsupportedOpError: a call has no rule, or depends on the image's size in an unknown way.
        GeometryError: the network does not run on images of the sizes that are recorded.
    """
    from fullconv.conversion.onnx_builder import GraphBuilder

    recorded = fold_paddings(fold_batch_norms(record_calls(network, size)))
    graph = GraphBuilder(recorded.fixed, recorded.shapes, recorded.names)
    add_calls(graph, recorded.calls)
    if graph.sides_given:
        raise UnsupportedOpError("takes the size of a map that the graph does not have")
    shape = list(recorded.shapes[recorded.output]) if size else _FREE_SCORES
    outputs = {OUTPUT: (graph.values[recorded.output], shape)}
    return graph.model(outputs, [[1, 3, *size] if size else _FREE_IMAGE])


def add_calls(graph: "GraphBuilder", calls: Iterable[NetworkCall]) -> None:
    """Add the nodes of some calls.

    Raises:
        UnsupportedOpError: a call has no rule, or depends on the image's size in an unknown way.
    """
    from fullconv.conversion.onnx_ops import rules

    for made in calls:
        graph.module = made.module
        if made.call.name not in rules:
            raise UnsupportedOpError(f"calls {made.call.name}, for which there is no rule")
        found = rules[made.call.name](graph, made.call)
        values = found if isinstance(found, tuple) else (found,)
        graph.values |= dict(zip(made.outputs, values, strict=True))
    graph.module = ""


def exported_graph(network: nn.Module, size: tuple[int, int] | None = None) -> "ir.Model":
    """Return the graph that PyTorch's own exporter makes of a network.

    Raises:
        ExportError: it has an operation that ONNX lacks.
    """
    # Imports PyTorch's exporter, which takes seconds: not for those who only load a model.
    from fullconv.conversion.trace import any_size, trace

    require("onnxscript", extra="", what="converting this network to ONNX")
    program = trace(network, size)
    try:
        with torch.no_grad(), any_size(), quiet():
            exported = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                external_data=False,
            )
    except Exception as error:  # torch.onnx raises any exception of its translations
        raise ExportError(
            f"this network cannot be converted to ONNX: {first_line(error)}"
        ) from error
    assert exported is not None
    model: ir.Model = exported.model
    for node in model.graph:
        if node.op_type == "MaxPool":
            pad_instead_of_ceil(node)
    _strip(model, free=size is None)
    return model


def save_onnx(
    network: nn.Module, path: Path, size: tuple[int, int] | None = None, *, patient: bool = True
) -> None:
    """Write the network's graph and weights into one .onnx file; see `onnx_graph`.

    Raises:
        ExportError: it has an operation that ONNX lacks.
    """
    import onnx_ir

    with quiet():
        onnx_ir.save(onnx_graph(network, size, patient=patient), path)


def pad_instead_of_ceil(node: Any) -> None:
    """Replace ceil mode by its meaning: a padding of stride - 1 after the last pixel.

    The result is the same in every runtime: OpenVINO refuses a window that is larger than the map,
    as on a map of one pixel.
    """
    import onnx_ir as ir

    attributes = node.attributes
    if not attributes.get_int("ceil_mode", 0):
        return
    strides = attributes.get_ints("strides")
    before, after = _halves(attributes.get_ints("pads", [0] * 2 * len(strides)))
    pads = [*before, *(pad + stride - 1 for pad, stride in zip(after, strides, strict=True))]
    attributes["pads"] = ir.AttrInt64s("pads", pads)
    attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", 0)


def _halves(values: Any) -> tuple[list[int], list[int]]:
    half = len(values) // 2
    return list(values[:half]), list(values[half:])


def _strip(model: "ir.Model", free: bool) -> None:
    """Remove names of files of this machine, and sizes as symbols of the tracer."""
    import onnx_ir as ir

    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.graph.doc_string = None
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.shape = value.shape if value.is_graph_output() else None
            value.metadata_props.clear()
    for value, shape in (
        (model.graph.inputs[0], _FREE_IMAGE),
        (model.graph.outputs[0], _FREE_SCORES),
    ):
        value.metadata_props.clear()
        if free:
            value.shape = ir.Shape(shape)
