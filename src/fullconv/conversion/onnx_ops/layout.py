"""Functions that move numbers: padding, crops, views, and the order of dimensions; resizing."""

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from fullconv.conversion.onnx_builder import GraphBuilder
from fullconv.conversion.onnx_ops import register
from fullconv.conversion.sides import MapSide, Side
from fullconv.networks.tracing.ops import OpCall, UnsupportedOpError

END = 2**63 - 1  # past the end of any dimension
_MODES = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}


@register("pad")
def pad(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Pad by a constant, or from the map's own edge."""
    x, pads = call.args[0], list(call.argument(1, "pad"))
    mode, value = call.argument(2, "mode", "constant"), call.argument(3, "value")
    rank = graph.rank(x)
    # PyTorch lists the last dimension first.
    pairs = [(pads[at], pads[at + 1]) for at in range(0, len(pads), 2)][::-1]
    # All dimensions are listed: ONNX Runtime's change of layouts reads past a shorter list.
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs
    sides = graph.sides([before for before, _ in pairs] + [after for _, after in pairs])
    inputs = graph.value(x), sides, graph.value(float(value or 0))
    found: ir.Value = graph.add("Pad", *inputs, mode=_MODES[mode])
    return found


@register("__getitem__")
def crop(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Crop by slices."""
    x, index = call.args[0], call.argument(1, "index")
    index = list(index) if isinstance(index, tuple | list) else [index]
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index[at : at + 1] = [slice(None)] * (graph.rank(x) - len(index) + 1)
    if not all(isinstance(item, slice) and item.step in (None, 1) for item in index):
        raise UnsupportedOpError(f"picks values by {index}")
    kept = [(dim, item) for dim, item in enumerate(index) if item != slice(None)]
    if not kept:
        return graph.value(x)
    starts = graph.sides([item.start or 0 for _, item in kept])
    ends = graph.sides([END if item.stop is None else item.stop for _, item in kept])
    axes = graph.numbers([dim for dim, _ in kept])
    found: ir.Value = graph.add("Slice", graph.value(x), starts, ends, axes)
    return found


@register("view reshape")
def view(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Change the dimensions."""
    shape: Any = call.args[1:] or call.kwargs.get("shape")
    shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    if not all(isinstance(side, int) for side in shape):
        raise UnsupportedOpError(f"calls {call.name} with {shape}")
    found: ir.Value = graph.add("Reshape", graph.value(call.args[0]), graph.sides(shape))
    return found


@register("permute transpose")
def reorder(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Put the dimensions into another order."""
    rank = graph.rank(call.args[0])
    order = list(range(rank))
    if call.name == "permute":
        dims: Any = call.args[1:] or call.kwargs["dims"]
        order = list(dims[0] if isinstance(dims[0], tuple | list) else dims)
    else:
        first, second = call.argument(1, "dim0"), call.argument(2, "dim1")
        order[first], order[second] = order[second], order[first]
    perm = [dim % rank for dim in order]
    found: ir.Value = graph.add("Transpose", graph.value(call.args[0]), perm=perm)
    return found


@register("cat")
def join(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Concatenate."""
    parts: Sequence[Any] = call.argument(0, "tensors")
    values = [graph.value(part) for part in parts]
    found: ir.Value = graph.add("Concat", *values, axis=call.argument(1, "dim", 0))
    return found


@register("chunk split")
def split(graph: GraphBuilder, call: OpCall) -> tuple[ir.Value, ...]:
    """Split along a dimension whose side is the same for all images."""
    dim = call.argument(2, "dim", 0)
    side = graph.side(call.args[0], dim)
    if call.name == "chunk":
        step = -(-side // call.argument(1, "chunks"))
        sizes = [min(step, side - at) for at in range(0, side, step)]
    else:
        given: Any = call.argument(1, "split_size_or_sections", call.kwargs.get("split_size"))
        listed = isinstance(given, tuple | list)
        sizes = list(given) if listed else [min(given, side - a) for a in range(0, side, given)]
    found = graph.add(
        "Split", graph.value(call.args[0]), graph.numbers(sizes), results=len(sizes), axis=dim
    )
    return found if isinstance(found, tuple) else (found,)


@register("flip")
def flip(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Reverse one dimension whose side is the same for all images."""
    dims: Any = call.args[1:] or call.kwargs["dims"]
    dims = dims[0] if isinstance(dims[0], tuple | list) else dims
    if len(dims) != 1:
        raise UnsupportedOpError("flips several dimensions")
    order = list(range(graph.side(call.args[0], dims[0])))[::-1]
    found: ir.Value = graph.add(
        "Gather", graph.value(call.args[0]), graph.numbers(order), axis=dims[0]
    )
    return found


@register("interpolate")
def interpolate(graph: GraphBuilder, call: OpCall) -> ir.Value:
    """Resize to (height, width), bilinearly."""
    size, mode = call.argument(1, "size"), call.argument(3, "mode", "nearest")
    if mode != "bilinear" or call.argument(6, "antialias", False) or size is None:
        raise UnsupportedOpError(f"interpolates by {mode}, by a factor or with antialiasing")
    x = graph.value(call.args[0])
    sides = [size, size] if isinstance(size, int) else list(size)
    corners = call.argument(4, "align_corners", False)
    # Axes, which would do without the first two sides, are not known to every runtime.
    outer = [Side(1, MapSide(call.args[0].index, dim)) for dim in (0, 1)]
    found: ir.Value = graph.add(
        "Resize",
        x,
        None,
        None,
        graph.sides([*outer, *sides]),
        mode="linear",
        coordinate_transformation_mode="align_corners" if corners else "pytorch_half_pixel",
    )
    return found
