"""Functions of the numbers at one position: activations and arithmetic."""

from typing import Any

import onnx_ir as ir

from fullconv.conversion.onnx_builder import GraphBuilder
from fullconv.conversion.onnx_ops import register
from fullconv.networks.tracing.ops import OpCall, UnsupportedOpError

_UNARY = {
    "relu": "Relu",
    "relu_": "Relu",
    "hardswish": "HardSwish",
    "sigmoid": "Sigmoid",
    "sigmoid_": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "neg": "Neg",
    "reciprocal": "Reciprocal",
    "mish": "Mish",
}
_BINARY = {
    "add": "Add",
    "add_": "Add",
    "sub": "Sub",
    "sub_": "Sub",
    "mul": "Mul",
    "mul_": "Mul",
    "div": "Div",
    "div_": "Div",
    "pow": "Pow",
    "maximum": "Max",
    "minimum": "Min",
}


@register(" ".join(_UNARY))
def unary(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a function that ONNX has with the same meaning."""
    found: ir.Value = graph.add(_UNARY[call.name], graph.value(call.args[0]))
    return found


@register(" ".join(_BINARY))
def binary(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write arithmetic with a map, a weight or a number."""
    if len(call.args) > 2 or call.kwargs.keys() - {"other", "alpha"}:
        raise UnsupportedOpError(f"calls {call.name} with {sorted(call.kwargs)}")
    if call.kwargs.get("alpha", 1) != 1:
        raise UnsupportedOpError(f"calls {call.name} with a factor")
    left, right = graph.value(call.args[0]), graph.value(call.argument(1, "other"))
    found: ir.Value = graph.add(_BINARY[call.name], left, right)
    return found


@register("rsub __rsub__ __rdiv__")
def reversed_binary(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write arithmetic whose second argument comes first."""
    op = "Div" if call.name == "__rdiv__" else "Sub"
    found: ir.Value = graph.add(op, graph.value(call.args[1]), graph.value(call.args[0]))
    return found


@register("addcmul")
def add_product(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a + b * c."""
    if call.kwargs.get("value", 1) != 1:
        raise UnsupportedOpError("calls addcmul with a factor")
    first, second, third = (graph.value(argument) for argument in call.args)
    found: ir.Value = graph.add("Add", first, graph.add("Mul", second, third))
    return found


@register("hardtanh hardtanh_ relu6 clamp clamp_")
def clip(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write limits of the numbers."""
    ends: list[Any] = [0.0, 6.0]
    if "hardtanh" in call.name:
        ends = [call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0)]
    elif "clamp" in call.name:
        ends = [call.argument(1, "min"), call.argument(2, "max")]
    x = graph.value(call.args[0])
    ends = [None if end is None else graph.value(float(end)) for end in ends]
    found: ir.Value = graph.add("Clip", x, *ends)
    return found


@register("hardsigmoid")
def hard_sigmoid(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write the piecewise linear sigmoid."""
    x = graph.value(call.args[0])
    found: ir.Value = graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    return found


@register("silu")
def silu(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write x * sigmoid(x)."""
    x = graph.value(call.args[0])
    found: ir.Value = graph.add("Mul", x, graph.add("Sigmoid", x))
    return found


@register("gelu")
def gelu(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write the Gaussian error linear unit, exact or by tanh."""
    kind = call.argument(1, "approximate", "none")
    found: ir.Value = graph.add("Gelu", graph.value(call.args[0]), approximate=kind)
    return found


@register("leaky_relu leaky_relu_ elu")
def sloped(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write an activation with a slope below zero."""
    x = graph.value(call.args[0])
    if call.name == "elu":
        if call.args[2:] or call.kwargs.keys() - {"alpha", "inplace"}:
            raise UnsupportedOpError("calls elu with a scale")
        found: ir.Value = graph.add("Elu", x, alpha=float(call.argument(1, "alpha", 1.0)))
        return found
    slope = float(call.argument(1, "negative_slope", 0.01))
    found = graph.add("LeakyRelu", x, alpha=slope)
    return found


@register("dropout dropout2d feature_dropout alpha_dropout contiguous clone detach")
def unchanged(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Return the input: what has no effect in evaluation mode."""
    training = call.argument(2, "training", True) if "dropout" in call.name else False
    if training and call.argument(1, "p", 0.5):
        raise UnsupportedOpError(f"calls {call.name} as in training")
    return graph.value(call.args[0])
