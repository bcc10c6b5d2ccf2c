"""The metrics of each head of a model, and their means over the heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from fullconv.evaluation.metrics import Metrics, Shares

M = TypeVar("M", bound=Metrics)


@dataclass(frozen=True)
class HeadMetrics(Generic[M]):
    """The metrics of each head of a model.

    Attributes:
        heads: metrics by the name of the head; those of a model with one head by the name "".
    """

    heads: Mapping[str, M]

    @property
    def first(self) -> M:
        """The metrics of the first head."""
        return next(iter(self.heads.values()))

    @property
    def mean_iou(self) -> float:
        """Mean of the heads' mean IoU, in [0, 1]; nan if no head has labels."""
        return _mean([metrics.mean_iou for metrics in self.heads.values()])

    @property
    def iou(self) -> Shares:
        """IoU of each class of each head, in the order of `Data.score_names`."""
        return np.concatenate([metrics.iou for metrics in self.heads.values()])

    def paper_metrics(self) -> dict[str, float]:
        """Return the paper's four metrics: their means over the heads, then those of each head.

        The names of the latter begin with the head's, e.g. "geometric_mean_iou"; a model with one
        head has only the former.
        """
        each = {name: metrics.paper_metrics() for name, metrics in self.heads.items()}
        means = {
            key: _mean([values[key] for values in each.values()])
            for key in next(iter(each.values()))
        }
        named = {
            f"{name}_{key}": value
            for name, values in each.items()
            for key, value in values.items()
            if name
        }
        return means | named


def _mean(shares: list[float]) -> float:
    """Return the mean of the shares that are not nan; nan if there are none."""
    known = [share for share in shares if share == share]
    return sum(known) / len(known) if known else float("nan")
