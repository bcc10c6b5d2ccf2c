"""What a run yields besides its steps: evaluation progress, finished epochs and warnings."""

from dataclasses import dataclass, field

from fullconv.evaluation.metrics import Confusion


@dataclass(frozen=True)
class Epoch:
    """A finished epoch.

    Attributes:
        number: from 1.
        epochs: number of epochs of the training.
        row: its row of results.csv.
        best: the highest mean IoU so far, and its epoch.
        seconds: time of this epoch, evaluation included.
        left: estimated seconds to the end of the training.
        confusion: of its evaluation; None if it was not evaluated.
    """

    number: int
    epochs: int
    row: dict[str, float]
    best: tuple[float, int]
    seconds: float
    left: float
    confusion: Confusion | None = field(default=None, repr=False)


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
