"""The same photo twice, or nearly: worst where one of the two is in train and the other in val."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8, UInt64

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._survey import SPLITS, Item, Survey

NEAR = 5  # of 64 bits that may differ; unrelated photos differ in about 30
ALIKE = 0.97  # correlation of the small grey pictures, which the bits alone do not warrant


def dhash(grey: UInt8[np.ndarray, "64 72"]) -> int:
    """64 bits of a photo: whether each of 8 x 8 blocks is brighter than the one to its right."""
    blocks = grey.reshape(8, 8, 9, 8).mean((1, 3))
    bits = (blocks[:, 1:] > blocks[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes())


def hashes(items: Sequence[Item]) -> UInt64[np.ndarray, " items"]:
    """The bits of each item; 0 where its photo could not be read."""
    return np.array([0 if i.photo.grey is None else dhash(i.photo.grey) for i in items], np.uint64)


@checks.register("duplicates")
def duplicates(survey: Survey) -> Iterator[Finding]:
    """Equal files, then files that look equal and lie in different splits."""
    items = [item for item in survey.items if item.photo.grey is not None]
    seen: dict[bytes, Item] = {}
    copies: set[int] = set()
    for place, item in enumerate(items):
        first = seen.setdefault(item.photo.digest, item)
        if first.photo.path != item.photo.path:
            copies.add(place)
            yield _same(survey, first, item)
        elif {first.split, item.split} <= {*SPLITS} and first.split != item.split:
            copies.add(place)
            yield _in_both(survey, first, item)
    for one, other in _near(items, copies):
        finding = survey.warn(
            "near-duplicate",
            other.photo.path,
            f"looks like {survey.shown(one.photo.path)}, which is in {one.split}; this one is in "
            f"{other.split}",
            "different scenes in different splits",
            "move both to one split",
        )
        yield replace(finding, other=survey.shown(one.photo.path))


def _same(survey: Survey, first: Item, item: Item) -> Finding:
    apart = first.split != item.split
    make = survey.about if apart else survey.warn
    where = f", which is in {first.split}; this one is in {item.split}" if apart else ""
    finding = make(
        "duplicate",
        item.photo.path,
        f"the same picture as {survey.shown(first.photo.path)}{where}",
        "each photo once",
        "remove one of the two",
    )
    return replace(finding, other=survey.shown(first.photo.path))


def _in_both(survey: Survey, first: Item, item: Item) -> Finding:
    return survey.about(
        "duplicate",
        item.photo.path,
        f"this photo is both in {first.split} and in {item.split}",
        "each photo in one split",
        f"take it out of the list of {item.split}, or of that of {first.split}",
    )


def _near(items: Sequence[Item], copies: set[int]) -> Iterator[tuple[Item, Item]]:
    bits = hashes(items)
    splits = np.array([item.split for item in items])
    for place, item in enumerate(items):
        if item.split == "train" or place in copies:
            continue
        distance = np.bitwise_count(bits ^ bits[place])
        near = (distance <= NEAR) & (splits != item.split)
        for other in np.flatnonzero(near).tolist():
            later = splits[other] != "train" and other > place
            if not later and other not in copies and _alike(items[other], item):
                yield items[other], item
                break


def _alike(one: Item, other: Item) -> bool:
    if one.photo.digest == other.photo.digest or one.photo.path == other.photo.path:
        return False
    first, second = (_centred(item) for item in (one, other))
    length = float(np.sqrt((first**2).sum() * (second**2).sum()))
    if length == 0:  # both of one colour: nothing to compare
        return False
    return float((first * second).sum()) / length > ALIKE


def _centred(item: Item) -> np.ndarray:
    grey = np.zeros((64, 72)) if item.photo.grey is None else item.photo.grey.astype(np.float64)
    blocks = grey.reshape(16, 4, 18, 4).mean((1, 3))
    return np.asarray(blocks - blocks.mean())
