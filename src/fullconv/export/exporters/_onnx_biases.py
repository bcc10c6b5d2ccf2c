"""Correct the biases of an int8 .onnx file for what rounding its weights changes on average.

Weights of 7 bits shift the mean of each channel by their errors times the mean of what they read,
and the shifts of many layers add up. Both are known after calibration, so the bias takes them back
(Nagel et al., 2019: Data-Free Quantization Through Weight Equalization and Bias Correction,
section 4.2, with the means of real images). It costs nothing when the file is used.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fullconv.export.exporters import Images
from fullconv.inference.runtimes import INPUT, quiet

_MEAN = "/channel_means"  # behind a node's name


def correct_biases(source: Path, target: Path, images: Images) -> None:
    """Change the int32 biases of a quantized file in place.

    Args:
        source: the file in float32.
        target: the same graph in int8, with the names of its nodes.
        images: for calibration.
    """
    import onnx

    exact, quantized = onnx.load(source), onnx.load(target)
    weights = {one.name: one for one in exact.graph.initializer}
    convolutions = {node.name: node for node in exact.graph.node if node.op_type == "Conv"}
    means = _means_of_inputs(exact, images)
    for node, kernel, scales, bias in _int8_convolutions(quantized.graph):
        original = weights.get(convolutions[node.name].input[1])
        if original is None:
            continue
        steps = onnx.numpy_helper.to_array(scales["weight"]).reshape(-1, 1, 1, 1)
        rounded = onnx.numpy_helper.to_array(kernel) * steps
        errors = onnx.numpy_helper.to_array(original) - rounded
        shift = mean_shift(errors, means[node.name])
        values = onnx.numpy_helper.to_array(bias).astype(np.int64)
        values += np.round(shift / onnx.numpy_helper.to_array(scales["bias"])).astype(np.int64)
        limits = np.iinfo(np.int32)
        corrected = values.clip(limits.min, limits.max).astype(np.int32)
        bias.CopyFrom(onnx.numpy_helper.from_array(corrected, bias.name))
    onnx.save(quantized, target)


def mean_shift(
    errors: Float[np.ndarray, "out in rows columns"], means: Float[np.ndarray, " channels"]
) -> Float[np.ndarray, " out"]:
    """Return what errors of a convolution's weights change its outputs by, on average.

    Args:
        errors: of the weights; `in` is `channels`, divided by the number of groups.
        means: of the input's channels. Zeros around the input are left out of account.
    """
    groups = len(means) // errors.shape[1]
    sums = errors.sum((2, 3)).reshape(groups, -1, errors.shape[1])
    shift: np.ndarray = np.einsum("goi,gi->go", sums, means.reshape(groups, -1)).reshape(-1)
    return shift


def _means_of_inputs(model: Any, images: Images) -> Mapping[str, Float[np.ndarray, " channels"]]:
    """Return the mean of each channel that a convolution reads over images, by the node's name.

    The model's graph is extended.
    """
    import onnx
    import onnxruntime

    graph, helper = model.graph, onnx.helper
    read = {node.name: node.input[0] for node in graph.node if node.op_type == "Conv"}
    outputs = [f"{name}{_MEAN}" for name in read]
    axes = onnx.numpy_helper.from_array(np.array([0, 2, 3]), f"axes{_MEAN}")
    graph.initializer.append(axes)
    for value, output in zip(read.values(), outputs, strict=True):
        mean = helper.make_node("ReduceMean", [value, axes.name], [output], keepdims=0)
        graph.node.append(mean)
        graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    with quiet():
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)
        rows = [session.run(outputs, {INPUT: image}) for image in images]
    columns = zip(*rows, strict=True)
    return {name: np.mean(found, axis=0) for name, found in zip(read, columns, strict=True)}


def _int8_convolutions(graph: Any) -> Iterator[tuple[Any, Any, Mapping[str, Any], Any]]:
    """Yield each convolution in int8 that has a bias: node, weights, their scales, bias."""
    stored = {one.name: one for one in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        sources = [made.get(name) for name in node.input[1:]]
        if node.op_type != "Conv" or len(sources) < 2:
            continue
        if any(one is None or one.op_type != "DequantizeLinear" for one in sources):
            continue
        weight, bias = (one.input for one in sources if one is not None)
        scales = {"weight": stored[weight[1]], "bias": stored[bias[1]]}
        yield node, stored[weight[0]], scales, stored[bias[0]]
