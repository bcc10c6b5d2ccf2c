"""Classifiers that score every position of an image."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from torch import fx, nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import Field, receptive_field
from fullconv.networks.layers import NamedSequential


class DenseClassifier(nn.Module):
    """A fully convolutional classifier: (B, 3, H, W) -> scores (B, classes, h, w).

    Attributes:
        size: rows and columns of the images that the classifier was made for; at this size there is
            one score per class.
        field: receptive field of the scores; None if it is unknown.
        caveats: what does not hold on images larger than `size`, one sentence each.
        worst: largest difference to the classifier's scores at `size`, relative to the largest of
            them.
    """

    size: int
    field: Field | None
    caveats: tuple[str, ...] = ()
    worst: float = 0.0


class DenseChain(DenseClassifier, NamedSequential):
    """One of our own classifiers, as a sequence of named layers."""

    def __init__(self, layers: Iterable[tuple[str, nn.Module]], size: int) -> None:
        super().__init__(layers)
        self.size, self.field = size, None
        with suppress(GeometryError):  # a layer without a coordinate map
            self.field = receptive_field(self.children())


class DenseGraph(DenseClassifier, fx.GraphModule):
    """A classifier of another library, rewritten by torch.fx.

    State-dict keys are the library's.
    """

    def __deepcopy__(self, memo: Any) -> "DenseGraph":
        copied = super().__deepcopy__(memo)
        assert isinstance(copied, DenseGraph)
        copied.size, copied.field = self.size, self.field
        copied.caveats, copied.worst = self.caveats, self.worst
        return copied
