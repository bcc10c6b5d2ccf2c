"""Read the weights of ONNX files that Keras (tf2onnx), PyTorch and others exported.

Exporters rename layers, so VGG is recognized by its sequence of convolutions and poolings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import WeightsError, require
from fullconv.io.protobuf import LENGTH, read_tags
from fullconv.networks.vgg_names import DEPTHS, conv_names
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._names import paper_arrays

_POOLINGS = ("MaxPool", "AveragePool")
_HEAD = ("fc6", "fc7", "fc8")
_LARGEST = 2**31 - 1  # bytes that a protocol buffer may have
_NONE = np.empty(0, np.float32)


def _recognises(head: bytes, path: Path) -> bool:
    """Return whether the fields are those of a ModelProto: ir_version (1), texts, the graph (7)."""
    if head[:1] != b"\x08":
        return False
    for number, wire in read_tags(memoryview(head)):
        if number == 7:
            return wire == LENGTH
        if number > 20:
            return False
    return False


def read(path: Path) -> Weights:
    """Read the initializers of an ONNX file; no other file is opened.

    Raises:
        MissingExtraError: the package onnx is not installed.
        WeightsError: the file is damaged, or stores its values in other files.
    """
    graph = _graph(path)
    arrays = dict(_initializers(graph, path))
    if any(name.endswith(".weight") for name in arrays):  # PyTorch's exporter keeps the names
        try:
            vgg = paper_arrays(arrays)
        except ValueError as error:
            raise WeightsError(f"{path} cannot be used: {error}; export it again") from error
        return Weights(vgg.arrays, "ONNX file with PyTorch's names", notes=vgg.notes)
    found = _vgg(graph, arrays)
    if not found:
        return Weights(
            arrays,
            "ONNX file",
            notes=("it is not a VGG; arrays keep the names of its initializers",),
        )
    return Weights(found | arrays, "ONNX file, VGG recognized by its layers")


sources.register("onnx_keras")(Source("ONNX (.onnx)", _recognises, read))


def _graph(path: Path) -> Any:
    onnx = require("onnx", extra="", what=f"reading {path}")
    if path.stat().st_size > _LARGEST:
        raise WeightsError(f"{path} is larger than 2 GiB, which no single ONNX file can be")
    try:
        # Bytes, not the path: next to a path, onnx would look for further files.
        return onnx.load_model_from_string(path.read_bytes()).graph
    # protobuf's errors have no base class that can be imported without onnx.
    except Exception as error:
        raise WeightsError(
            f"{path} looks like an ONNX file but cannot be read: {error}; copy or download it again"
        ) from error


def _initializers(graph: Any, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of each floating-point array.

    Raises:
        WeightsError: the values are outside the file, or fewer than the shape requires.
    """
    from onnx import TensorProto, numpy_helper

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise WeightsError(
                f"{path}: the values of {tensor.name[:200]} are in another file, which is never "
                "opened; export the model into a single file"
            )
        if tensor.data_type not in floats:
            continue
        try:
            if min(tensor.dims, default=0) < 0:
                raise ValueError("a negative side")
            values = numpy_helper.to_array(tensor)
        # What onnx raises for a shape that does not fit depends on its version.
        except Exception as error:
            raise WeightsError(
                f"{path}: {tensor.name[:200]} is damaged ({error}); copy or download the file again"
            ) from error
        with np.errstate(over="ignore"):  # overflow is refused later: not finite
            yield tensor.name, np.array(values, np.float32)


def _vgg(graph: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Remove VGG's layers from `arrays` and return them by paper name; {} if it is not a VGG."""
    blocks, dense = _runs(graph, arrays)
    convolutions = [node for block in blocks for node in block]
    depths = tuple(len(block) for block in blocks if block)
    kernels = {arrays[_second(node)].shape[2:] for node in convolutions}
    if depths not in DEPTHS or kernels != {(3, 3)}:
        return {}
    layers = {
        name: VGGLayer(arrays[_second(node)], _third(node), (_second(node),))
        for name, node in zip(conv_names(depths), convolutions, strict=True)
    }
    if len(dense) == len(_HEAD):
        channels = arrays[_second(convolutions[-1])].shape[0]
        matrices = [_matrix(graph, node, arrays, channels) for node in dense]
        layers |= dict(zip(_HEAD, matrices, strict=True))
    found: dict[str, np.ndarray] = {}
    for name, layer in layers.items():
        found[f"{name}.weight"] = layer.weight
        if layer.bias in arrays:
            found[f"{name}.bias"] = arrays[layer.bias].reshape(-1)
    for layer in layers.values():
        for old in (*layer.names, layer.bias):
            arrays.pop(old, None)
    return found


@dataclass(frozen=True)
class VGGLayer:
    """A weight (out, in, ...), the name of its bias, and the names of the weight."""

    weight: np.ndarray
    bias: str
    names: tuple[str, ...]


def _runs(graph: Any, arrays: Mapping[str, np.ndarray]) -> tuple[list[list[Any]], list[Any]]:
    """Return the convolutions of each block between poolings, and the matrix products."""
    blocks: list[list[Any]] = [[]]
    dense = []
    for node in graph.node:
        if node.op_type in _POOLINGS:
            blocks.append([])
        elif node.op_type == "Conv" and arrays.get(_second(node), _NONE).ndim == 4:
            blocks[-1].append(node)
        elif node.op_type in ("MatMul", "Gemm") and arrays.get(_second(node), _NONE).ndim == 2:
            dense.append(node)
    return blocks, dense


def _matrix(graph: Any, node: Any, arrays: Mapping[str, np.ndarray], channels: int) -> VGGLayer:
    """Return a fully connected layer as (out, in), with inputs in (channel, row, column) order."""
    options = {attribute.name: attribute for attribute in node.attribute}
    weight = arrays[_second(node)]
    if not ("transB" in options and options["transB"].i):
        weight = weight.T
    if "alpha" in options:
        weight = weight * np.float32(options["alpha"].f)
    size = isqrt(weight.shape[1] // channels)
    if _channels_last(graph, node) and size * size * channels == weight.shape[1]:
        grid = weight.reshape(-1, size, size, channels)
        weight = grid.transpose(0, 3, 1, 2).reshape(weight.shape)
    return VGGLayer(
        np.ascontiguousarray(weight), _third(node) or _added(graph, node), (_second(node),)
    )


def _channels_last(graph: Any, node: Any) -> bool:
    """Return whether a matrix's input was flattened from (row, column, channel), as in Keras."""
    producers = {name: producer for producer in graph.node for name in producer.output}
    for _ in range(8):  # there are at most a few reshapes and casts between
        producer = producers.get(node.input[0]) if node.input else None
        if producer is None:
            return False
        if producer.op_type == "Transpose":
            return any(list(option.ints) == [0, 2, 3, 1] for option in producer.attribute)
        if producer.op_type not in ("Reshape", "Flatten", "Cast", "Identity", "Squeeze", "Dropout"):
            return False
        node = producer
    return False


def _added(graph: Any, node: Any) -> str:
    """Return the name of what the next node adds to a product; "" if nothing."""
    for adding in graph.node:
        if adding.op_type == "Add" and node.output[0] in adding.input:
            return next((str(name) for name in adding.input if name != node.output[0]), "")
    return ""


def _second(node: Any) -> str:
    """Return the name of the second input: the weight of Conv, Gemm and MatMul."""
    return str(node.input[1]) if len(node.input) > 1 else ""


def _third(node: Any) -> str:
    """Return the name of the third input: the bias of Conv and Gemm; "" without one."""
    return str(node.input[2]) if len(node.input) > 2 else ""
