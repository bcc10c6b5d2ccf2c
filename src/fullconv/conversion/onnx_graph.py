"""Convert a network to an ONNX graph, which ONNX Runtime runs and OpenVINO imports."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fullconv.errors import ExportError
from fullconv.inference.runtimes import INPUT, OUTPUT, first_line, quiet

if TYPE_CHECKING:
    import onnx_ir as ir


def onnx_graph(network: nn.Module, size: tuple[int, int] | None = None) -> "ir.Model":
    """Return the network's graph and weights, for any batch and size, or for one image of `size`.

    Raises:
        ExportError: it has an operation that ONNX lacks.
    """
    # Imports PyTorch's exporter, which takes seconds: not for those who only load a model.
    from fullconv.conversion.trace import any_size, trace

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
    model = exported.model
    for node in model.graph:
        if node.op_type == "MaxPool":
            pad_instead_of_ceil(node)
    _strip(model, free=size is None)
    return model


def save_onnx(network: nn.Module, path: Path, size: tuple[int, int] | None = None) -> None:
    """Write the network's graph and weights into one .onnx file.

    Raises:
        ExportError: it has an operation that ONNX lacks.
    """
    import onnx_ir

    with quiet():
        onnx_ir.save(onnx_graph(network, size), path)


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
    for value, channels in ((model.graph.inputs[0], 3), (model.graph.outputs[0], None)):
        value.metadata_props.clear()
        if free:
            value.shape = ir.Shape(["batch", channels or "classes", "height", "width"])
