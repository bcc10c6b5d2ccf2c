"""Neighbouring frames of one clip in train and in val: val then measures memory, not sight."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._survey import Item, Survey
from fullconv.data.checks.duplicates import hashes
from fullconv.data.discovery.resplit import sample_groups, with_groups
from fullconv.data.discovery.splits import grouped_split
from fullconv.errors import DataError

FEWEST = 8  # neighbours from which their likeness can be told from chance
LARGEST = 0.4  # share of the photos that validation may take when it is whole clips
LIKE = 0.75  # of the bits in which unrelated photos differ: neighbours in a clip differ in fewer

_clip = sample_groups("clip")  # as ?group-by=clip, which the remedy recommends, sees it
_NUMBERED = re.compile(r"(.*?(\d+))(\D*)")


@dataclass(frozen=True)
class Frame:
    """An item as a frame: the clip that its name tells, and its number, as written."""

    clip: str
    number: int
    written: str
    item: Item


@checks.register("clips")
def clips(survey: Survey) -> Iterator[Finding]:
    """One finding a clip and split whose frames lie among those of train."""
    found: dict[str, list[Frame]] = {}
    for item in survey.items:
        if item.photo.grey is not None and (frame := _frame(item)):
            found.setdefault(frame.clip, []).append(frame)
    if not found:
        return
    usual = _usual_distance([item for item in survey.items if item.photo.grey is not None])
    remedy = _remedy(survey)
    for clip, frames in sorted(found.items()):
        frames.sort(key=lambda frame: frame.number)
        for split in survey.splits:
            if split != "train" and _is_clip(frames, usual):
                yield from _surrounded(survey, clip, split, frames, remedy)


def _remedy(survey: Survey) -> str:
    """To divide by clips, if that leaves most photos for training."""
    names = [item.name for item in survey.items if item.split != "test"]
    if not names:
        return "record another clip for it"
    try:
        val = len(grouped_split(names, _clip)["val"]) / len(names)
    except DataError:  # one clip, or as many as photos
        return "record another clip for it"
    if val <= LARGEST:
        divided = with_groups(survey.source, "clip")
        return f"open it as {divided}, where train and val share no clip"
    share = f"{100 * val:.0f} % of the photos"
    return f"record another clip for it (?group-by=clip would make val {share})"


def _frame(item: Item) -> Frame | None:
    match = _NUMBERED.fullmatch(item.name)
    if not match:
        return None
    return Frame(_clip(match[1]) + match[3], int(match[2]), match[2], item)


def _usual_distance(items: Sequence[Item]) -> float:
    """Bits in which photos differ that have nothing to do with each other."""
    bits = hashes(items)
    half = len(bits) // 2
    shifts = [shift for shift in (half, half // 2 + 1, half // 3 + 1) if 0 < shift < len(bits)]
    apart = [np.bitwise_count(bits ^ np.roll(bits, shift)).mean() for shift in shifts]
    return float(np.mean(apart)) if apart else 0.0


def _is_clip(frames: Sequence[Frame], usual: float) -> bool:
    """Whether frames of neighbouring numbers look alike, as names alone do not tell."""
    bits = hashes([frame.item for frame in frames])
    if len(bits) <= FEWEST:
        return False
    return float(np.bitwise_count(bits[1:] ^ bits[:-1]).mean()) < LIKE * usual


def _surrounded(
    survey: Survey, clip: str, split: str, frames: Sequence[Frame], remedy: str
) -> Iterator[Finding]:
    inside = [place for place, frame in enumerate(frames) if frame.item.split == split]
    train = [place for place, frame in enumerate(frames) if frame.item.split == "train"]
    if not inside or not train:
        return
    first, last = frames[inside[0]], frames[inside[-1]]
    name = clip or "the photos"
    here, stretch = f"{first.written} to {last.written}", len(inside) == inside[-1] - inside[0] + 1
    before = [frames[place] for place in train if place < inside[0]]
    after = [frames[place] for place in train if place > inside[-1]]
    whole = len(inside) == len(survey.of(split))
    what = f"{split} is" if whole else f"{len(inside)} of {len(survey.of(split))} in {split} are"
    if stretch and before and after:
        found = (
            f"{what} one short stretch of clip {name}, frames {here} ({len(inside)} photos), which "
            f"train surrounds: it has ..{before[-1].written} before and {after[0].written}.. after"
        )
    elif stretch:
        near = (before[-1:] or after[:1])[0]
        found = (
            f"{what} frames {here} of clip {name}; train has {near.written} of the same clip, "
            "right beside them"
        )
    else:
        found = f"{what} frames of clip {name} ({here}), between which lie frames of train"
    beside = min(train, key=lambda place: abs(place - inside[0]))
    finding = survey.warn(
        "neighbouring-frames",
        first.item.photo.path,
        found,
        "whole clips in one split: neighbouring frames show nearly the same, which flatters scores",
        f"{remedy}, or read its scores as those of one scene",
    )
    yield replace(finding, other=survey.shown(frames[beside].item.photo.path))
