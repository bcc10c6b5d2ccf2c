"""Answers -> bytes of a file. One file a kind of answer; this folder is the list of them.

No member opens a file: who asks decides where the bytes go.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fullconv.prediction import Prediction
from fullconv.registry import Registry


@dataclass(frozen=True)
class Writer:
    """One way in which an answer is kept.

    Attributes:
        suffix: how its files' names end, e.g. ".png".
        encode: the bytes of the file; equal answers give equal bytes.
        summary: what the file holds, in one line, for messages and docs.
        scores: whether it needs the score of every class, which an answer in parts keeps only if
            asked: `model.predict(photo, scores=True)`.
    """

    suffix: str
    encode: Callable[[Prediction], bytes]
    summary: str = ""
    scores: bool = False


writers: Registry[Writer] = Registry("fullconv.writers", "kind of answer")
