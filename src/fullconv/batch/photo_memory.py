"""How much memory each photo of a job takes, and how many photos fit at a time.

What a photo takes follows from its header, the model and the output kinds, never from the other
photos, so its prediction does not depend on them.
"""

from collections.abc import Sequence
from math import prod

from fullconv.batch.executors._memory import InputMemory
from fullconv.batch.writers import writers
from fullconv.errors import MemoryBudgetError
from fullconv.io.images import Header, decoding_bytes
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up

PIXEL = 3  # bytes of an RGB image


def plan_photo(
    model: Model,
    header: Header,
    kinds: Sequence[str],
    scales: Sequence[float] | None,
    total: int,
    at_once: int,
    strict: bool = True,
) -> InputMemory:
    """Plan a photo for its share of the memory, or for more where it needs more.

    Args:
        model: predicts it.
        header: of its file.
        kinds: output kinds.
        scales: of test-time augmentation.
        total: bytes for all photos at a time.
        at_once: photos that share them; fewer if a photo needs more than its share.
        strict: whether `total` must not be exceeded.

    Raises:
        MemoryBudgetError: the photo takes more than `total`, if that is strict.
    """
    image, scores = PIXEL * prod(header.size), any(writers[kind].scores for kind in kinds)
    held = max(decoding_bytes(header), image + _result_bytes(header, kinds, len(model.classes)))
    reason: MemoryBudgetError | None = None
    while at_once and held <= total // at_once:
        share = total // at_once
        try:
            peak = model.plan_memory(
                header.size, memory=share, scales=scales, scores=scores, held=image
            )
            return InputMemory(held, max(0, peak - held), share - image)
        except MemoryBudgetError as error:
            reason, at_once = error, at_once // 2
    if not strict:
        return InputMemory(held, total, None)  # alone
    if reason:
        raise reason
    height, width = header.size
    raise MemoryBudgetError(
        f"an image of {height} x {width} pixels takes at least {format_bytes_up(held)} to be read "
        f"and its results to be written; the memory given is {format_bytes(total)}: give it more"
    )


def _result_bytes(header: Header, kinds: Sequence[str], classes: int) -> int:
    """Return the bytes of labels and kept scores, and of the largest file that is encoded."""
    found = [writers[kind] for kind in kinds]
    kept = 4 * classes if any(writer.scores for writer in found) else 0
    encoding = max((w.pixel_bytes + w.score_bytes * classes for w in found), default=0)
    return (1 + kept + encoding) * prod(header.size)
