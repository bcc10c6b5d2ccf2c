"""Rewrite a classifier head with torch.fx to run at every position."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from fullconv.errors import GeometryError
from fullconv.networks.tracing.ops import PLAIN
from fullconv.networks.tracing.trace import ModuleCall, Trace

_FLATTEN = {"Flatten", "flatten", "view", "reshape", "squeeze", "getitem", "contiguous", "Identity"}
_REDUCE = {"mean", "amax"}
_POOLS = {
    *("AdaptiveAvgPool2d", "adaptive_avg_pool2d", "AdaptiveMaxPool2d", "adaptive_max_pool2d"),
    *_REDUCE,
}


@dataclass(frozen=True)
class HeadShape:
    """What a head's value is about at one place: `maps` x `rows` x `columns` features.

    Attributes:
        step: pixels between two of its rows; more than 1 where each is the mean of several.
    """

    maps: int
    rows: int = 1
    columns: int = 1
    step: int = 1

    @property
    def size(self) -> int:
        """How many numbers that is."""
        return self.maps * self.rows * self.columns


class Head:
    """The steps from the last features to the scores, being replaced one by one."""

    def __init__(self, dense: fx.GraphModule) -> None:
        self.dense = dense
        self.spots: dict[fx.Node, HeadShape] = {}

    def rewrite(self) -> None:
        """Replace every step of the head.

        Raises:
            GeometryError: one is not known.
        """
        for node in list(self.dense.graph.nodes):
            if node.op == "output":
                self._finish(node)
                return
            given = [one for one in node.all_input_nodes if "shape" in one.meta]
            if node.meta.get("several") and any(one in self.spots for one in given):
                raise GeometryError(
                    f"in the classifier's head, {getattr(node.target, '__name__', node.target)} "
                    "gives several tensors; how to do that at every place is not known"
                )
            if "shape" in node.meta and given:
                self._step(node, given)

    def _finish(self, node: fx.Node) -> None:
        last = node.args[0]
        if not isinstance(last, fx.Node):
            raise GeometryError("the classifier gives more than one tensor of scores")
        spot = self.spots.get(last)
        if spot is not None and spot.size != spot.maps:
            raise GeometryError("the classifier's scores have rows and columns of their own")

    def _step(self, node: fx.Node, given: list[fx.Node]) -> None:
        layer = self._layer(node)
        name = type(layer).__name__ if layer else getattr(node.target, "__name__", node.target)
        spots = [self.spots[one] for one in given if one in self.spots]
        if spots:
            self._in_head(node, str(name), layer, spots)
        else:
            self._ends_places(node, str(name), layer, given[0])

    def _layer(self, node: fx.Node) -> nn.Module | None:
        return self.dense.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _ends_places(
        self, node: fx.Node, name: str, layer: nn.Module | None, before: fx.Node
    ) -> None:
        """Replace a step that gives up places, if this is one."""
        given, result = before.meta["shape"], node.meta["shape"]
        if len(given) != 4:
            return
        maps, rows, columns = given[1:]
        if name in _FLATTEN and result == (given[0], maps * rows * columns):
            self._drop(node, before, HeadShape(maps, rows, columns))
            return
        if name not in _POOLS or self._channels_last(node, layer):
            return
        across = (1, 1) if len(result) == 2 else result[-2:]
        if any(_spreads(user, prod(across)) for user in node.users):
            return  # squeeze-excite: its result goes back to every place
        if rows % across[0] or columns % across[1] or rows // across[0] != columns // across[1]:
            raise GeometryError(
                f"{node.target} pools {rows} x {columns} places to {across[0]} x {across[1]}, in "
                "windows of unequal size; no sliding window does that"
            )
        step = rows // across[0]
        pool = nn.MaxPool2d(step, 1) if "max" in name.lower() else nn.AvgPool2d(step, 1)
        self._put(node, pool, before)
        high, wide = across
        self.spots[node] = HeadShape(maps, high, wide, step if high > 1 else 1)

    @staticmethod
    def _channels_last(node: fx.Node, layer: nn.Module | None) -> bool:
        if layer is not None or getattr(node.target, "__name__", node.target) not in _REDUCE:
            return False
        dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        return tuple(dim % 4 for dim in dims) != (2, 3) if isinstance(dims, tuple | list) else True

    def _in_head(
        self, node: fx.Node, name: str, layer: nn.Module | None, spots: list[HeadShape]
    ) -> None:
        """Replace one step between the pooling and the scores."""
        before, spot = node.all_input_nodes[0], spots[0]
        size = prod(node.meta["shape"][1:])
        if name in _FLATTEN and size == spot.size:
            self._drop(node, before, spot)
        elif name in _POOLS and spot.size == spot.maps == size:
            self._drop(node, before, spot)  # a pooling of one place
        elif isinstance(layer, nn.Linear) and layer.in_features == spot.size:
            window = (spot.rows, spot.columns)
            self._put(node, linear_as_conv(layer, spot.maps, window, spot.step))
            self.spots[node] = HeadShape(layer.out_features)
        elif (
            isinstance(layer, nn.Conv2d) and spot.size == spot.maps and layer.kernel_size == (1, 1)
        ):
            self.spots[node] = HeadShape(layer.out_channels)
        elif (
            layer is not None
            and type(layer) in (nn.LayerNorm, nn.BatchNorm1d)
            and spot.size == spot.maps
        ):
            self._put(node, norm_for_maps(layer))
            self.spots[node] = spot
        elif name == "dropout":  # a function would stay as it was when its mode was read
            chance = node.args[1] if len(node.args) > 1 else node.kwargs.get("p", 0.5)
            self._put(node, nn.Dropout(float(str(chance))), before)
            self.spots[node] = spot
        elif name == "cat" and all(one.size == one.maps for one in spots):
            self.spots[node] = HeadShape(sum(one.maps for one in spots))
        elif self._is_pointwise(name, layer) and size == spot.size:
            self.spots[node] = spot
        else:
            raise GeometryError(
                f"in the classifier's head, {name} ({node.name}) turns {spot} into "
                f"{node.meta['shape'][1:]}; how to do that at every place is not known"
            )

    @staticmethod
    def _is_pointwise(name: str, layer: nn.Module | None) -> bool:
        if layer is None:
            return name in PLAIN
        inside = ("activation", "dropout")
        own = any(f".{part}" in type(layer).__module__ for part in inside)
        return own or isinstance(layer, nn.Identity | nn.BatchNorm2d) or name == "LayerNorm2d"

    def _drop(self, node: fx.Node, before: fx.Node, spot: HeadShape) -> None:
        """The step does nothing to maps."""
        node.replace_all_uses_with(before, propagate_meta=False)
        # What follows reads `before` from now on, which is part of the head by that.
        self.spots[before] = replace(spot)
        self.dense.graph.erase_node(node)

    def _put(self, node: fx.Node, layer: nn.Module, before: fx.Node | None = None) -> None:
        """Let another layer do the step: under the old one's name, or under the node's."""
        path = str(node.target) if node.op == "call_module" else node.name
        # A new layer is in training mode, and its mode is settled with the other layers'.
        self.dense.add_submodule(path, layer.train(self.dense.training))
        node.op, node.target = "call_module", path
        node.args, node.kwargs = (before or node.all_input_nodes[0],), {}


def _spreads(node: fx.Node, places: int) -> bool:
    """Whether something with more than so many places is made of a value."""
    shape = node.meta.get("shape", ())
    here = len(shape) == 4 and prod(shape[-2:]) > places
    return here or any(_spreads(user, places) for user in node.users)


def linear_as_conv(
    layer: nn.Linear, maps: int, window: tuple[int, int], step: int = 1, padding: int = 0
) -> nn.Conv2d:
    """A linear layer over flattened maps as the convolution that it is, of the same numbers.

    Args:
        layer: over `maps` x rows x columns numbers.
        maps: how many there are.
        window: their rows and columns.
        step: pixels between two of its rows.
        padding: zeros around.
    """
    with torch.device("meta"):
        bias = layer.bias is not None
        convolution = nn.Conv2d(
            maps, layer.out_features, window, padding=padding, dilation=step, bias=bias
        )
    weight = layer.weight.detach().reshape(layer.out_features, maps, *window)
    convolution.weight = nn.Parameter(weight, layer.weight.requires_grad)
    if layer.bias is not None:
        convolution.bias = layer.bias
    return convolution


def norm_for_maps(layer: nn.Module) -> nn.Module:
    """The same norm with the same tensors, for maps."""
    other: nn.Module
    if isinstance(layer, nn.LayerNorm):
        other = LayerNormOverMaps(layer.normalized_shape, layer.eps, layer.elementwise_affine)
    else:
        assert isinstance(layer, nn.BatchNorm1d)
        other = BatchNormOverMaps(layer.num_features, layer.eps, layer.momentum, layer.affine)
    other._parameters, other._buffers = layer._parameters, layer._buffers
    return other


class LayerNormOverMaps(nn.LayerNorm):
    """A layer norm of vectors, at every place of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalized over C, of the same shape."""
        normed: Tensor = super().forward(x.movedim(1, -1))
        return normed.movedim(-1, 1)


class BatchNormOverMaps(nn.BatchNorm1d):
    """A batch norm of vectors, at every place of (B, C, H, W)."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass


def rewritten(classifier: nn.Module, followed: Trace, image: Tensor) -> fx.GraphModule:
    """The classifier with a head that works at every place.

    Args:
        classifier: in evaluation mode; not changed, its tensors are shared.
        followed: an image of the classifier's own size through it.
        image: one of that size.

    Raises:
        GeometryError: the forward cannot be followed, or a step of the head is not known.
    """
    kept = {visit.name for visit in _visits(followed.top) if _keeps_places(followed, visit)}
    try:
        graph = _Tracer(kept).trace(classifier)
    except (fx.proxy.TraceError, TypeError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise GeometryError(
            f"the forward of {type(classifier).__name__} decides by values, so it cannot be "
            f"rewritten: {reason}"
        ) from error
    dense = fx.GraphModule(classifier, graph)
    with torch.no_grad():
        _Recorder(dense).run(image)
    Head(dense).rewrite()
    graph.eliminate_dead_code()
    dense.delete_all_unused_submodules()
    dense.recompile()
    return dense


class _Tracer(fx.Tracer):
    """Follows a forward symbolically; layers that keep places are not looked into."""

    def __init__(self, kept: set[str]) -> None:
        super().__init__()
        self.kept = kept

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the layer is one step of the graph."""
        whole = nn.LayerNorm | nn.BatchNorm2d | nn.Linear | nn.Conv2d
        kept = module_qualified_name in self.kept or isinstance(m, whole)
        return kept or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps the shape of every value."""

    def run_node(self, n: fx.Node) -> Any:
        """Run one step."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["shape"] = tuple(result.shape)
        n.meta["several"] = isinstance(result, tuple | list) and any(
            isinstance(part, Tensor) for part in result
        )
        return result


def _visits(visit: ModuleCall) -> Iterator[ModuleCall]:
    for inner in visit.inside:
        yield inner
        yield from _visits(inner)


def _keeps_places(followed: Trace, visit: ModuleCall) -> bool:
    def placed(value: Any) -> bool:
        sight = followed.sight(value)
        return sight is not None and sight.rows is not None and value.dim() == 4

    return placed(visit.given) and placed(visit.result)
