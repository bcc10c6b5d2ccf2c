"""Any classifier's forward, rewritten so that its head leaves a grid of scores instead of one.

The layers that see places stay as they are. From where the places are given up - flattening or
global pooling - to the scores, each step is replaced by what does the same at every place; a step
that is not known here is refused, never guessed.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from fullconv.errors import GeometryError
from fullconv.heads import Head
from fullconv.tracing import Trace, Visit


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


def _visits(visit: Visit) -> Iterator[Visit]:
    for inner in visit.inside:
        yield inner
        yield from _visits(inner)


def _keeps_places(followed: Trace, visit: Visit) -> bool:
    def placed(value: Any) -> bool:
        sight = followed.sight(value)
        return sight is not None and sight.rows is not None and value.dim() == 4

    return placed(visit.given) and placed(visit.result)
