"""What a run yields besides its steps: evaluation progress, finished rounds and warnings."""

from dataclasses import dataclass, field

from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion


@dataclass(frozen=True)
class Activity:
    """What is being done now, e.g. "reading 60 masks"."""

    text: str


@dataclass(frozen=True)
class Round:
    """A finished round: an epoch, or the steps between two evaluations of a planned training.

    Attributes:
        epoch: the epoch of its last step, from 1.
        row: its row of results.csv.
        best: the highest mean IoU so far, of several heads their mean, and its epoch.
        is_best: whether this round has it.
        seconds: time of this round, evaluation included.
        metrics: confusion matrices of its evaluation; None if it was not evaluated.
    """

    epoch: int
    row: dict[str, float]
    best: tuple[float, int]
    is_best: bool
    seconds: float
    metrics: HeadMetrics[Confusion] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class EvalProgress:
    """Progress of an evaluation: samples done, of this process's samples."""

    done: int
    samples: int


@dataclass(frozen=True)
class Note:
    """A warning about the training: the step after which it was noticed, and its text."""

    step: int
    text: str
