"""Convolutions and poolings."""

from typing import Any

import onnx_ir as ir

from fullconv.conversion.fold import four_pads
from fullconv.conversion.onnx_builder import GraphBuilder
from fullconv.conversion.onnx_ops import register
from fullconv.networks.tracing.ops import OpCall, UnsupportedOpError


@register("conv2d")
def convolution(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a convolution."""
    found: ir.Value = graph.add(
        "Conv",
        *_inputs(graph, call),
        strides=_pair(graph, call, 3, "stride", 1),
        pads=_pads(graph, call, 4),
        dilations=_pair(graph, call, 5, "dilation", 1),
        group=graph.integer(call.argument(6, "groups", 1)),
    )
    return found


@register("conv_transpose2d")
def transposed_convolution(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a transposed convolution."""
    found: ir.Value = graph.add(
        "ConvTranspose",
        *_inputs(graph, call),
        strides=_pair(graph, call, 3, "stride", 1),
        pads=_pads(graph, call, 4),
        output_padding=_pair(graph, call, 5, "output_padding", 0),
        group=graph.integer(call.argument(6, "groups", 1)),
        dilations=_pair(graph, call, 7, "dilation", 1),
    )
    return found


@register("max_pool2d")
def max_pooling(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write a max pooling; ceil mode becomes a padding of stride - 1 after the last pixel.

    The result is the same in every runtime: OpenVINO refuses a window that is larger than the map,
    as on a map of one pixel.
    """
    if call.argument(6, "return_indices", False):
        raise UnsupportedOpError("returns the indices of maxima")
    kernel, strides = _window(graph, call)
    pads = _pads(graph, call, 3)
    if call.argument(5, "ceil_mode", False):
        pads = [*pads[:2], *(pad + step - 1 for pad, step in zip(pads[2:], strides, strict=True))]
    found: ir.Value = graph.add(
        "MaxPool",
        graph.value(call.args[0]),
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        dilations=_pair(graph, call, 4, "dilation", 1),
    )
    return found


@register("avg_pool2d")
def average_pooling(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write an average pooling."""
    if call.argument(6, "divisor_override"):
        raise UnsupportedOpError("divides by another number than that of the pixels")
    kernel, strides = _window(graph, call)
    found: ir.Value = graph.add(
        "AveragePool",
        graph.value(call.args[0]),
        kernel_shape=kernel,
        strides=strides,
        pads=_pads(graph, call, 3),
        ceil_mode=int(call.argument(4, "ceil_mode", False)),
        count_include_pad=int(call.argument(5, "count_include_pad", True)),
    )
    return found


@register("adaptive_avg_pool2d")
def global_pooling(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Write the mean over the whole map."""
    if _pair(graph, call, 1, "output_size", 1) != [1, 1]:
        raise UnsupportedOpError("pools to a number of pixels")
    found: ir.Value = graph.add("GlobalAveragePool", graph.value(call.args[0]))
    return found


def _inputs(graph: GraphBuilder, call: OpCall) -> list[ir.Value]:
    bias = call.argument(2, "bias")
    given = [call.args[0], call.argument(1, "weight"), *([] if bias is None else [bias])]
    return [graph.value(one) for one in given]


def _window(graph: GraphBuilder, call: OpCall) -> tuple[list[int], list[int]]:
    """Return the kernel and the strides of a pooling."""
    kernel = _pair(graph, call, 1, "kernel_size", 1)
    return kernel, _pair(graph, call, 2, "stride", 1) if call.argument(2, "stride") else kernel


def _pair(graph: GraphBuilder, call: OpCall, position: int, name: str, default: int) -> list[int]:
    found = graph.integers(call.argument(position, name, default), 2)
    return found * 2 if len(found) == 1 else found


def _pads(graph: GraphBuilder, call: OpCall, position: int) -> list[int]:
    """Return the zeros before and after rows and columns."""
    padding: Any = call.argument(position, "padding", 0)
    if isinstance(padding, str):
        raise UnsupportedOpError(f"pads by {padding!r}")
    return list(four_pads(graph.integers(padding, 1)))
