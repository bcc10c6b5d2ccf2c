"""What a run tells while it goes, beside its steps: samples measured, epochs done, notes."""

from dataclasses import dataclass, field

from fullconv.evaluation.metrics import Confusion


@dataclass(frozen=True)
class Epoch:
    """What an epoch brought.

    Attributes:
        number: from 1.
        epochs: how many there will be.
        row: its line of results.csv.
        best: the highest mean IU so far, and the epoch it came from.
        seconds: of this epoch, training and evaluation.
        left: seconds to the end, as estimated from this epoch.
        confusion: of its evaluation; None where it was not evaluated.
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
    """One more of the samples that an evaluation is about.

    Attributes:
        done: samples that are answered.
        samples: of this process, in all.
    """

    done: int
    samples: int


@dataclass(frozen=True)
class Note:
    """Something that the flight recorder has seen, in words.

    Attributes:
        step: after which it was seen.
        text: what was seen, and the likely cause.
    """

    step: int
    text: str
