"""Predict a photo within its memory: what it takes, and how many photos fit at a time.

What a photo takes follows from its header, the model and the output kinds, never from the other
photos, so its prediction does not depend on them. What polygons take depends on the labels: such a
photo gets all of its share, and is refused if its files would take more.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.memory_gate import InputMemory
from fullconv.batch.writers import Writer
from fullconv.config import RGB
from fullconv.errors import MemoryBudgetError
from fullconv.inference.prediction import Prediction
from fullconv.inference.stopping import Stop, never
from fullconv.io.images import Header, decoding_bytes
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up


def plan_photo(
    model: Model,
    header: Header,
    outputs: Sequence[Writer],
    scales: Sequence[float] | None,
    total: int,
    at_once: int,
    strict: bool = True,
) -> InputMemory:
    """Plan a photo for its share of the memory, or for more where it needs more.

    Args:
        model: predicts it.
        header: of its file.
        outputs: what is encoded of it.
        scales: of test-time augmentation.
        total: bytes for all photos at a time.
        at_once: photos that share them; fewer if a photo needs more than its share.
        strict: whether `total` must not be exceeded.

    Raises:
        MemoryBudgetError: the photo takes more than `total`, if that is strict.
    """
    image, scores = model.channels * prod(header.size), need_scores(outputs)
    others = image - RGB * prod(header.size)
    results = _result_bytes(model, header, outputs)
    held = max(decoding_bytes(header) + others, image + results)
    reason: MemoryBudgetError | None = None
    while at_once and held > total // at_once:
        at_once //= 2
    # The engine's images are computed whole, whatever memory is free now.
    fixed = 0
    if model.engine_takes(header.size, scales):
        fixed = model.plan_memory(header.size, scales=scales, scores=scores, held=image)
    while at_once and fixed > total // at_once:
        at_once //= 2
    while at_once:
        share = total // at_once
        try:
            peak = model.plan_memory(
                header.size, memory=share, scales=scales, scores=scores, held=image
            )
            whole = strict and any(writer.encoding_bytes for writer in outputs)
            taken = share if whole else held
            return InputMemory(taken, max(0, peak - taken), share - image)
        except MemoryBudgetError as error:
            reason, at_once = error, at_once // 2
    if fixed or not strict:
        return InputMemory(held, total, None)  # alone
    if reason:
        raise reason
    height, width = header.size
    raise MemoryBudgetError(
        f"an image of {height} x {width} pixels takes at least {format_bytes_up(held)} to be read "
        f"and its results to be written; the memory given is {format_bytes(total)}: give it more"
    )


def predict_photo(
    model: Model,
    image: UInt8[np.ndarray, "H W C"],
    outputs: Sequence[Writer],
    scales: Sequence[float] | None,
    memory: int | None,
    stop: Stop = never,
) -> Prediction:
    """Predict a photo; its scores are kept only if `outputs` need them.

    Args:
        model: predicts it.
        image: in [0, 255], with the channels that the model takes.
        outputs: what is encoded of it.
        scales: of test-time augmentation; None turns it off.
        memory: bytes; None for half of the free memory.
        stop: as for `Model.predict`.
    """
    scores = need_scores(outputs)
    found = model.predict(image, scales=scales, memory=memory, scores=scores, stop=stop)
    return found if scores else found.without_scores()


def check_results(prediction: Prediction, outputs: Sequence[Writer], memory: InputMemory) -> None:
    """Check that a prediction can be encoded in its share of the memory.

    Args:
        prediction: computed in `memory`.
        outputs: what is encoded of it.
        memory: from `plan_photo`.

    Raises:
        MemoryBudgetError: it cannot.
    """
    image = prediction.image.nbytes
    share = memory.compute if memory.limit is None else memory.limit + image
    parts = prediction.by_head().values()
    score = sum(part.score_array.nbytes for part in parts if part.score_array is not None)
    kept = image + sum(part.labels.nbytes for part in parts) + score
    for writer in outputs:
        encoding = max(map(writer.encoding_bytes, parts)) if writer.encoding_bytes else 0
        need = kept + encoding if writer.encoding_bytes else 0
        if need > share:
            raise MemoryBudgetError(
                f"the predicted regions are so many that their file ({writer.summary}) takes "
                f"about {format_bytes_up(need)} of memory; the memory given is "
                f"{format_bytes(share)}: give it more, or choose other outputs"
            )


def need_scores(outputs: Sequence[Writer]) -> bool:
    """Return whether any output needs the scores of all classes."""
    return any(writer.scores for writer in outputs)


def _result_bytes(model: Model, header: Header, outputs: Sequence[Writer]) -> int:
    """Return the bytes of labels and kept scores, and of the largest file that is encoded."""
    heads = [len(head.classes) for head in model.heads] or [len(model.classes)]
    kept = 4 * sum(heads) if need_scores(outputs) else 0
    encoding = max((w.pixel_bytes + w.score_bytes * max(heads) for w in outputs), default=0)
    return (len(heads) + kept + encoding) * prod(header.size)
