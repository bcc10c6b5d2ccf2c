"""Check for neighbouring video frames in train and val, which inflate validation scores."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fullconv.data.checks import checks
from fullconv.data.checks.duplicates import hashes
from fullconv.data.discovery.resplit import sample_groups, with_groups
from fullconv.data.discovery.splits import grouped_split
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.survey import Item, Survey
from fullconv.errors import DataError

MIN_FRAMES = 8  # with fewer, similarity of neighbours may be a coincidence
MAX_VAL = 0.4  # largest useful share of val when splitting by clip
SIMILAR = 0.75  # neighbours in a clip differ in fewer bits than this share of unrelated photos'

_clip = sample_groups("clip")  # the same rule as ?group-by=clip, which the remedy recommends
_NUMBERED = re.compile(r"(.*?(\d+))(\D*)")


@dataclass(frozen=True)
class Frame:
    """An item as a video frame, with the clip and number that its name implies."""

    clip: str
    number: int
    digits: str
    item: Item


@checks.register("clips")
def clips(survey: Survey) -> Iterator[Finding]:
    """Yield a finding for each clip and split that shares neighbouring frames with train."""
    by_clip: dict[str, list[Frame]] = {}
    for item in survey.items:
        if item.photo.grey is not None and (frame := _frame(item)):
            by_clip.setdefault(frame.clip, []).append(frame)
    if not by_clip:
        return
    unrelated = _unrelated_distance([item for item in survey.items if item.photo.grey is not None])
    remedy = _remedy(survey)
    for clip, frames in sorted(by_clip.items()):
        frames.sort(key=lambda frame: frame.number)
        for split in survey.splits:
            if split != "train" and _is_clip(frames, unrelated):
                yield from _shared_clip(survey, clip, split, frames, remedy)


def _remedy(survey: Survey) -> str:
    """Recommend splitting by clip, if that leaves most photos for training."""
    names = [item.name for item in survey.items if item.split != "test"]
    if not names:
        return "record another clip for validation"
    try:
        val = len(grouped_split(names, _clip)["val"]) / len(names)
    except DataError:  # a single clip, or one photo per clip
        return "record another clip for validation"
    if val <= MAX_VAL:
        divided = with_groups(survey.source, "clip")
        return f"split by clip: open {divided}"
    share = f"{100 * val:.0f} % of the photos"
    return f"record another clip for validation (with ?group-by=clip, val would be {share})"


def _frame(item: Item) -> Frame | None:
    match = _NUMBERED.fullmatch(item.name)
    if not match:
        return None
    return Frame(_clip(match[1]) + match[3], int(match[2]), match[2], item)


def _unrelated_distance(items: Sequence[Item]) -> float:
    """Return the mean number of bits in which unrelated photos differ."""
    bits = hashes(items)
    half = len(bits) // 2
    shifts = [shift for shift in (half, half // 2 + 1, half // 3 + 1) if 0 < shift < len(bits)]
    distances = [np.bitwise_count(bits ^ np.roll(bits, shift)).mean() for shift in shifts]
    return float(np.mean(distances)) if distances else 0.0


def _is_clip(frames: Sequence[Frame], unrelated: float) -> bool:
    """Return whether frames with consecutive numbers look alike; names alone do not prove it."""
    bits = hashes([frame.item for frame in frames])
    if len(bits) <= MIN_FRAMES:
        return False
    return float(np.bitwise_count(bits[1:] ^ bits[:-1]).mean()) < SIMILAR * unrelated


def _shared_clip(
    survey: Survey, clip: str, split: str, frames: Sequence[Frame], remedy: str
) -> Iterator[Finding]:
    inside = [index for index, frame in enumerate(frames) if frame.item.split == split]
    train = [index for index, frame in enumerate(frames) if frame.item.split == "train"]
    if not inside or not train:
        return
    first, last = frames[inside[0]], frames[inside[-1]]
    total = len(survey.of(split))
    subject = f"{split} is" if len(inside) == total else f"{len(inside)} of {total} in {split} are"
    stretch = f"frames {first.digits} to {last.digits} of clip {clip!r}"
    contiguous = len(inside) == inside[-1] - inside[0] + 1
    before = [frames[index].digits for index in train if index < inside[0]][-1:]
    after = [frames[index].digits for index in train if index > inside[-1]][:1]
    if contiguous:
        neighbours = " and ".join([*before, *after])
        number = "frame" if len([*before, *after]) == 1 else "frames"
        found = f"{subject} {stretch}; train has the neighbouring {number} {neighbours}"
    else:
        found = f"{subject} {stretch}, interleaved with frames of train"
    nearest = min(train, key=lambda index: abs(index - inside[0]))
    finding = survey.warning(
        "neighbouring-frames",
        first.item.photo.path,
        found,
        "whole clips in one split: neighbouring frames are nearly equal, which inflates scores",
        f"{remedy}, or interpret the scores as those of a single scene",
    )
    yield replace(finding, other=survey.relative(frames[nearest].item.photo.path))
