"""ONNX files: networks exported by Keras (tf2onnx), PyTorch and others; the numbers, not the graph.

Exporters rename what they like, so that VGG is known by its run of convolutions and poolings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import WeightsError, require
from fullconv.networks.vgg_names import DEPTHS, conv_names, paper_names
from fullconv.weights.sources import Source, Weights, weights
from fullconv.weights.sources._protobuf import LENGTH, tags

_POOLINGS = ("MaxPool", "AveragePool")
_HEAD = ("fc6", "fc7", "fc8")
_LARGEST = 2**31 - 1  # bytes that a protocol buffer may have
_NONE = np.empty(0, np.float32)


def _recognises(head: bytes, path: Path) -> bool:
    """ModelProto: ir_version (1) is a small number; then texts, and the graph (7)."""
    if head[:1] != b"\x08":
        return False
    for number, wire in tags(memoryview(head)):
        if number == 7:
            return wire == LENGTH
        if number > 20:
            return False
    return False


def read(path: Path) -> Weights:
    """Read the initialisers of an ONNX file; nothing outside the file is opened.

    Raises:
        MissingExtraError: the package onnx is not installed.
        WeightsError: the file is damaged, or keeps its numbers in other files.
    """
    graph = _graph(path)
    arrays = dict(_initialisers(graph, path))
    if any(name.endswith(".weight") for name in arrays):  # PyTorch's exporter keeps the names
        renamed = paper_names({name: array.shape for name, array in arrays.items()})
        arrays = {renamed.get(name, name): array for name, array in arrays.items()}
        return Weights(arrays, "ONNX file with PyTorch's names")
    found = _vgg(graph, arrays)
    if not found:
        return Weights(
            arrays, "ONNX file", notes=("it is no VGG; the names are those of its initialisers",)
        )
    return Weights(found | arrays, "ONNX file, VGG by its run of layers")


weights.register("onnx_keras")(Source("ONNX (.onnx)", _recognises, read))


def _graph(path: Path) -> Any:
    onnx = require("onnx", extra="onnx", what=f"reading {path}")
    if path.stat().st_size > _LARGEST:
        raise WeightsError(f"{path} is larger than 2 GiB, which no single ONNX file can be")
    try:
        # The bytes, not the path: beside a path, onnx would look for further files.
        return onnx.load_model_from_string(path.read_bytes()).graph
    # protobuf's errors have no common class that could be imported without onnx.
    except Exception as error:
        raise WeightsError(
            f"{path} looks like an ONNX file but cannot be read: {error}; copy or download it again"
        ) from error


def _initialisers(graph: Any, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each array of floating-point numbers.

    Raises:
        WeightsError: the numbers lie outside the file, or are fewer than the shape says.
    """
    from onnx import TensorProto, numpy_helper

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise WeightsError(
                f"{path}: the numbers of {tensor.name[:200]} lie in another file, which is never "
                "opened; export the model into a single file"
            )
        if tensor.data_type not in floats:
            continue
        try:
            if min(tensor.dims, default=0) < 0:
                raise ValueError("a side below zero")
            values = numpy_helper.to_array(tensor)
        # What onnx raises on a shape that does not fit its numbers differs with its version.
        except Exception as error:
            raise WeightsError(
                f"{path}: {tensor.name[:200]} is damaged ({error}); copy or download the file again"
            ) from error
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            yield tensor.name, np.array(values, np.float32)


def _vgg(graph: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """VGG's layers in the paper's names, taken out of `arrays`; empty if this is no VGG."""
    blocks, dense = _runs(graph, arrays)
    convolutions = [node for block in blocks for node in block]
    depths = tuple(len(block) for block in blocks if block)
    kernels = {arrays[_second(node)].shape[2:] for node in convolutions}
    if depths not in DEPTHS or kernels != {(3, 3)}:
        return {}
    layers = {
        name: Layer(arrays[_second(node)], _third(node), (_second(node),))
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
class Layer:
    """One layer's weight (out, in, ...), the name of its bias, and the names of its weight."""

    weight: np.ndarray
    bias: str
    names: tuple[str, ...]


def _runs(graph: Any, arrays: Mapping[str, np.ndarray]) -> tuple[list[list[Any]], list[Any]]:
    """The convolutions between the poolings, and the products with a matrix of the file."""
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


def _matrix(graph: Any, node: Any, arrays: Mapping[str, np.ndarray], channels: int) -> Layer:
    """A fully connected layer as (out, in), its inputs in the order channel, row, column."""
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
    return Layer(
        np.ascontiguousarray(weight), _third(node) or _added(graph, node), (_second(node),)
    )


def _channels_last(graph: Any, node: Any) -> bool:
    """Whether a matrix's input was flattened from (row, column, channel), as Keras does."""
    producers = {name: producer for producer in graph.node for name in producer.output}
    for _ in range(8):  # a few reshapes and casts lie between, never many
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
    """Name of what the next node adds to a product; empty if it adds nothing."""
    for adding in graph.node:
        if adding.op_type == "Add" and node.output[0] in adding.input:
            return next((str(name) for name in adding.input if name != node.output[0]), "")
    return ""


def _second(node: Any) -> str:
    """Name of the node's second input: the weights of Conv, Gemm and MatMul."""
    return str(node.input[1]) if len(node.input) > 1 else ""


def _third(node: Any) -> str:
    """Name of the node's third input: the bias of Conv and Gemm, empty without one."""
    return str(node.input[2]) if len(node.input) > 2 else ""
