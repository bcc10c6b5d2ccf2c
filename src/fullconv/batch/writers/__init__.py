"""Answers -> bytes of a file. One file a kind of answer; this folder is the list of them.

No member opens a file: who asks decides where the bytes go, and where they come from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fullconv._registry import Registry
from fullconv.batch.manifest import PredictionRecord
from fullconv.inference.predictor import Prediction
from fullconv.io.palettes import Palette

Kept = tuple[PredictionRecord, Callable[[], bytes]]
"""What is known of an answer, and what gives its file's bytes."""


@dataclass(frozen=True)
class Collector:
    """What is made of all answers of one kind.

    Attributes:
        path: of the file; of a folder of numbered files where it ends with a slash.
        make: what each file's path goes on with, "" for the only one, and the pieces of its bytes.
            Equal answers give equal bytes.
    """

    path: str
    make: Callable[[Sequence[Kept], Sequence[str], Palette], Iterator[tuple[str, Iterable[bytes]]]]


@dataclass(frozen=True)
class Writer:
    """One way in which an answer is kept.

    Attributes:
        suffix: how its files' names end, e.g. ".png".
        encode: the bytes of the file; equal answers give equal bytes.
        summary: what the file holds, in one line, for messages and docs.
        scores: whether it needs the score of every class, which an answer in parts keeps only if
            asked: `model.predict(photo, scores=True)`.
        together: what is made of the files of all answers, if anything.
    """

    suffix: str
    encode: Callable[[Prediction], bytes]
    summary: str = ""
    scores: bool = False
    together: Collector | None = None


writers: Registry[Writer] = Registry("fullconv.batch.writers", "kind of answer")
