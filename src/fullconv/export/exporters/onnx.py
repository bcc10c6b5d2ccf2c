"""Write ONNX files (.onnx), for ONNX Runtime and many others."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from torch import nn

from fullconv.config import Size
from fullconv.conversion.onnx_graph import save_onnx
from fullconv.errors import require
from fullconv.export.exporters import Exporter, Images, exporters
from fullconv.export.exporters._onnx_biases import correct_biases
from fullconv.export.onnx_edit import add_metadata
from fullconv.inference.runtimes import INPUT, KEY, quiet

# Convolutions are nearly all of the work; sums of scores stay float32. The range of a convolution's
# int8 output ends where the Relu or Clip (ReLU6) after it ends.
ACTIVATIONS, WINDOWS = ["Relu", "Clip"], ["Conv", "MaxPool"]
SHIFT = "Add"  # of constants, between an activation and a window: `FixedSizeBackbone`


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the network's graph and weights into one file."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="", what="an ONNX file")
    save_onnx(network, path, size)


def stamp(path: Path, description: str) -> None:
    """Add the description to the file's metadata."""
    add_metadata(path, {KEY: description})


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the file in int8: static quantization, 7-bit weights per channel, QDQ nodes.

    Biases are corrected for the rounding of the weights.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.rest, None)
            return None if image is None else {INPUT: image}

    with quiet():
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            reduce_range=True,  # 8-bit weights saturate on CPUs without VNNI
            op_types_to_quantize=[*ACTIVATIONS, *WINDOWS, SHIFT],
            nodes_to_quantize=_quantized_nodes(source),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        correct_biases(source, target, images)


def _quantized_nodes(path: Path) -> list[str]:
    """Return the names of the nodes that compute in int8.

    Sums of constants are among them only inside a chain of int8 layers: in float32, they would cost
    two changes of the type and of the layout, and anywhere else they may need more digits. A
    convolution with a stride that reads the image stays in float32: on the CamVid model, it alone
    causes a quarter of the labels that differ, and its output is small. VGG's first convolution has
    no stride and the largest output of all layers.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    read = defaultdict(set)
    for node in graph.node:
        for name in node.input:
            read[name].add(node.op_type)

    def shifts(node: Any) -> bool:
        constants = {one.name for one in graph.initializer} & set(node.input)
        maps = set(node.input) - constants
        inside = all(made.get(name) in ACTIVATIONS for name in maps) and read[node.output[0]]
        return bool(constants and maps and inside) and read[node.output[0]] <= set(WINDOWS)

    kept = _strided_stem(graph)
    return [
        node.name
        for node in graph.node
        if (node.op_type in ACTIVATIONS + WINDOWS and node.name not in kept)
        or (node.op_type == SHIFT and shifts(node))
    ]


def _strided_stem(graph: Any) -> set[str]:
    """Return the names of the convolutions with a stride that read the image, normalized."""
    before, found = {INPUT}, set()
    for node in graph.node:  # in the order of computation
        if not before & set(node.input):
            continue
        if node.op_type != "Conv":
            before |= set(node.output)
        elif any(max(one.ints) > 1 for one in node.attribute if one.name == "strides"):
            found.add(node.name)
    return found


exporters.register("onnx")(
    Exporter(
        suffix=".onnx",
        write=write,
        stamp=stamp,
        quantize=quantize,
    )
)
