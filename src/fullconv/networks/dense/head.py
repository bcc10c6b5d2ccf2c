"""Rewrite a classifier's head with torch.fx to score every position.

The head is what follows the last feature map: global pooling or flattening, linear layers, norms,
activations. Each of its ops is replaced by one on feature maps with the same weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from fullconv.errors import GeometryError
from fullconv.networks.dense.classifier import DenseGraph
from fullconv.networks.dense.map_layers import linear_as_conv, norm_for_maps
from fullconv.networks.tracing.ops import OP_KINDS, OpKind
from fullconv.networks.tracing.trace import ModuleCall, Trace

_FLATTEN = {"Flatten", "flatten", "view", "reshape", "squeeze", "getitem", "contiguous", "Identity"}
_REDUCE = {"mean", "amax"}
_POOLS = {
    *("AdaptiveAvgPool2d", "adaptive_avg_pool2d", "AdaptiveMaxPool2d", "adaptive_max_pool2d"),
    *_REDUCE,
}


def rewrite_head(classifier: nn.Module, record: Trace, image: Tensor) -> DenseGraph:
    """Return the classifier with a head that scores every position.

    Args:
        classifier: in evaluation mode; it is left as it was, and its tensors are shared.
        record: the trace of an image of the classifier's own size.
        image: one of that size.

    Raises:
        GeometryError: torch.fx cannot trace the forward, or an op of the head is unknown.
    """
    leaves = {
        call.name
        for call in _calls(record.root)
        if record.has_positions(call.input) and record.has_positions(call.output)
    }
    try:
        graph = _Tracer(leaves).trace(classifier)
    except (fx.proxy.TraceError, TypeError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise GeometryError(
            f"the forward of {type(classifier).__name__} branches on values, so torch.fx cannot "
            f"rewrite it: {reason}"
        ) from error
    dense = DenseGraph(classifier, graph)
    with torch.no_grad():
        _ShapeRecorder(dense).run(image)
    _Head(dense).rewrite()
    graph.eliminate_dead_code()
    dense.delete_all_unused_submodules()
    dense.recompile()
    return dense


@dataclass(frozen=True)
class HeadShape:
    """The feature map behind a flat value of the head: `maps` x `rows` x `columns`.

    Attributes:
        dilation: pixels between two of its rows; more than 1 if each is a mean over several.
    """

    maps: int
    rows: int = 1
    columns: int = 1
    dilation: int = 1

    @property
    def size(self) -> int:
        """How many numbers that is."""
        return self.maps * self.rows * self.columns


class _Head:
    """The ops from the last feature map to the scores, replaced one by one."""

    def __init__(self, dense: fx.GraphModule) -> None:
        self.dense = dense
        self.shapes: dict[fx.Node, HeadShape] = {}

    def rewrite(self) -> None:
        """Replace every op of the head.

        Raises:
            GeometryError: an op is unknown.
        """
        for node in list(self.dense.graph.nodes):
            if node.op == "output":
                self._check_output(node)
                return
            inputs = [source for source in node.all_input_nodes if "shape" in source.meta]
            if node.meta.get("several") and any(source in self.shapes for source in inputs):
                raise GeometryError(
                    f"in the classifier's head, {getattr(node.target, '__name__', node.target)} "
                    "gives several tensors; how to do that at every position is unknown"
                )
            if "shape" in node.meta and inputs:
                self._rewrite_node(node, inputs)

    def _check_output(self, node: fx.Node) -> None:
        scores = node.args[0]
        if not isinstance(scores, fx.Node):
            raise GeometryError("the classifier gives more than one tensor of scores")
        shape = self.shapes.get(scores)
        if shape is not None and shape.size != shape.maps:
            raise GeometryError("the classifier's scores have rows and columns of their own")

    def _rewrite_node(self, node: fx.Node, inputs: list[fx.Node]) -> None:
        is_layer = node.op == "call_module"
        layer = self.dense.get_submodule(str(node.target)) if is_layer else None
        name = type(layer).__name__ if layer else getattr(node.target, "__name__", node.target)
        shapes = [self.shapes[source] for source in inputs if source in self.shapes]
        if shapes:
            self._rewrite_in_head(node, str(name), layer, shapes)
        else:
            self._rewrite_pooling(node, str(name), layer, inputs[0])

    def _rewrite_pooling(
        self, node: fx.Node, name: str, layer: nn.Module | None, source: fx.Node
    ) -> None:
        """Replace an op that ends the feature maps, if it is one."""
        before, after = source.meta["shape"], node.meta["shape"]
        if len(before) != 4:
            return
        maps, rows, columns = before[1:]
        if name in _FLATTEN and after == (before[0], maps * rows * columns):
            self._remove(node, source, HeadShape(maps, rows, columns))
            return
        if name not in _POOLS or _pools_channels_last(node, layer):
            return
        grid = (1, 1) if len(after) == 2 else after[-2:]
        if any(_reaches_larger_map(user, prod(grid)) for user in node.users):
            return  # squeeze-and-excitation: the result is applied to every position
        if rows % grid[0] or columns % grid[1] or rows // grid[0] != columns // grid[1]:
            raise GeometryError(
                f"{node.target} pools {rows} x {columns} positions to {grid[0]} x {grid[1]}, in "
                "windows of unequal size, which no sliding window can do"
            )
        window = rows // grid[0]
        pool = nn.MaxPool2d(window, 1) if "max" in name.lower() else nn.AvgPool2d(window, 1)
        self._replace(node, pool, source)
        self.shapes[node] = HeadShape(maps, grid[0], grid[1], window if grid[0] > 1 else 1)

    def _rewrite_in_head(
        self, node: fx.Node, name: str, layer: nn.Module | None, shapes: list[HeadShape]
    ) -> None:
        """Replace one op between the pooling and the scores."""
        source, shape = node.all_input_nodes[0], shapes[0]
        size = prod(node.meta["shape"][1:])
        is_vector = shape.size == shape.maps
        if (name in _FLATTEN and size == shape.size) or (
            name in _POOLS and is_vector and size == shape.size
        ):
            self._remove(node, source, shape)
        elif isinstance(layer, nn.Linear) and layer.in_features == shape.size:
            window = (shape.rows, shape.columns)
            self._replace(node, linear_as_conv(layer, shape.maps, window, shape.dilation))
            self.shapes[node] = HeadShape(layer.out_features)
        elif isinstance(layer, nn.Conv2d) and is_vector and layer.kernel_size == (1, 1):
            self.shapes[node] = HeadShape(layer.out_channels)
        elif type(layer) in (nn.LayerNorm, nn.BatchNorm1d) and is_vector:
            self._replace(node, norm_for_maps(layer))  # type: ignore[arg-type]
            self.shapes[node] = shape
        elif name == "dropout":  # as a function it would keep the mode in which it was traced
            rate = node.args[1] if len(node.args) > 1 else node.kwargs.get("p", 0.5)
            self._replace(node, nn.Dropout(float(str(rate))), source)
            self.shapes[node] = shape
        elif name == "cat" and all(part.size == part.maps for part in shapes):
            self.shapes[node] = HeadShape(sum(part.maps for part in shapes))
        elif _is_pointwise(name, layer) and size == shape.size:
            self.shapes[node] = shape
        else:
            raise GeometryError(
                f"in the classifier's head, {name} ({node.name}) turns {shape} into "
                f"{node.meta['shape'][1:]}; how to do that at every position is unknown"
            )

    def _remove(self, node: fx.Node, source: fx.Node, shape: HeadShape) -> None:
        """Remove an op that does nothing to feature maps."""
        node.replace_all_uses_with(source, propagate_meta=False)
        # What follows now reads `source`, which becomes part of the head.
        self.shapes[source] = replace(shape)
        self.dense.graph.erase_node(node)

    def _replace(self, node: fx.Node, layer: nn.Module, source: fx.Node | None = None) -> None:
        """Let another layer do the op, under the old layer's name or under the node's."""
        path = str(node.target) if node.op == "call_module" else node.name
        # New layers start in training mode; their mode is set together with the other layers'.
        self.dense.add_submodule(path, layer.train(self.dense.training))
        node.op, node.target = "call_module", path
        node.args, node.kwargs = (source or node.all_input_nodes[0],), {}


def _is_pointwise(name: str, layer: nn.Module | None) -> bool:
    if layer is None:
        return OP_KINDS.get(name) is OpKind.POINTWISE
    family = any(f".{part}" in type(layer).__module__ for part in ("activation", "dropout"))
    return family or isinstance(layer, nn.Identity | nn.BatchNorm2d) or name == "LayerNorm2d"


def _pools_channels_last(node: fx.Node, layer: nn.Module | None) -> bool:
    if layer is not None or getattr(node.target, "__name__", node.target) not in _REDUCE:
        return False
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return tuple(dim % 4 for dim in dims) != (2, 3) if isinstance(dims, tuple | list) else True


def _reaches_larger_map(node: fx.Node, positions: int) -> bool:
    """Return whether a map with more than so many positions is computed from this value."""
    shape = node.meta.get("shape", ())
    is_larger = len(shape) == 4 and prod(shape[-2:]) > positions
    return is_larger or any(_reaches_larger_map(user, positions) for user in node.users)


def _calls(call: ModuleCall) -> Iterator[ModuleCall]:
    for inner in call.calls:
        yield inner
        yield from _calls(inner)


class _Tracer(fx.Tracer):
    """Trace a forward symbolically, without looking into layers that keep feature maps."""

    def __init__(self, leaves: set[str]) -> None:
        super().__init__()
        self.leaves = leaves

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether the layer is one node of the graph."""
        basic = nn.LayerNorm | nn.BatchNorm2d | nn.Linear | nn.Conv2d
        is_leaf = module_qualified_name in self.leaves or isinstance(m, basic)
        return is_leaf or super().is_leaf_module(m, module_qualified_name)


class _ShapeRecorder(fx.Interpreter):
    """Run a graph and store the shape of every value."""

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["shape"] = tuple(result.shape)
        n.meta["several"] = isinstance(result, tuple | list) and any(
            isinstance(part, Tensor) for part in result
        )
        return result
