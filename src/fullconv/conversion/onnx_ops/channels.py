"""Norms, linear layers and reductions."""

import onnx_ir as ir
from torch import Tensor

from fullconv.conversion.onnx_builder import GraphBuilder
from fullconv.conversion.onnx_ops import register
from fullconv.networks.tracing.ops import OpCall, UnsupportedOpError

_REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum", "amax": "ReduceMax", "amin": "ReduceMin"}


@register("batch_norm")
def batch_norm(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a batch norm with its stored statistics."""
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    scale, shift = call.argument(3, "weight"), call.argument(4, "bias")
    if mean is None or call.argument(5, "training", False) or scale is None or shift is None:
        raise UnsupportedOpError("normalizes by the statistics of the batch, or without weights")
    inputs = [graph.value(one) for one in (call.args[0], scale, shift, mean, variance)]
    found: ir.Value = graph.add(
        "BatchNormalization", *inputs, epsilon=float(call.argument(7, "eps", 1e-5))
    )
    return found


@register("layer_norm")
def layer_norm(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a layer norm over the last dimensions."""
    weight, bias = call.argument(2, "weight"), call.argument(3, "bias")
    if weight is None:
        raise UnsupportedOpError("normalizes without weights")
    given = [call.args[0], weight, *([] if bias is None else [bias])]
    found: ir.Value = graph.add(
        "LayerNormalization",
        *(graph.value(one) for one in given),
        axis=-len(call.argument(1, "normalized_shape")),
        epsilon=float(call.argument(4, "eps", 1e-5)),
    )
    return found


@register("linear")
def linear(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a linear layer over the last dimension."""
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if not isinstance(weight, Tensor):
        raise UnsupportedOpError("multiplies by weights that are computed from the image")
    product: ir.Value = graph.add("MatMul", graph.value(call.args[0]), graph.transposed(weight))
    return product if bias is None else graph.add("Add", product, graph.value(bias))


@register("softmax log_softmax")
def softmax(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a softmax over one dimension."""
    op = "Softmax" if call.name == "softmax" else "LogSoftmax"
    found: ir.Value = graph.add(op, graph.value(call.args[0]), axis=call.argument(1, "dim"))
    return found


@register("mean sum amax amin norm linalg_vector_norm")
def reduction(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a mean, sum, maximum, minimum or Euclidean norm over dimensions."""
    is_norm = call.name in ("norm", "linalg_vector_norm")
    name = "ord" if call.name == "linalg_vector_norm" else "p"
    if is_norm and call.argument(1, name, 2) not in (2, 2.0, "fro"):
        raise UnsupportedOpError(f"calls {call.name} of another order than 2")
    if call.kwargs.get("dtype") is not None:
        raise UnsupportedOpError(f"calls {call.name} in another precision")
    dims = call.argument(2 if is_norm else 1, "dim")
    if dims is None:
        raise UnsupportedOpError(f"takes the {call.name} of all numbers")
    found: ir.Value = graph.add(
        "ReduceL2" if is_norm else _REDUCTIONS[call.name],
        graph.value(call.args[0]),
        graph.numbers([dims] if isinstance(dims, int) else list(dims)),
        keepdims=int(call.argument(3 if is_norm else 2, "keepdim", False)),
    )
    return found
