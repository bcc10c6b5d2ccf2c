"""Check for duplicate and near-duplicate photos, which leak if they are in two splits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8, UInt64

from fullconv.data.checks import checks
from fullconv.data.discovery.list_files import SPLITS
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.survey import Item, Survey

MAX_BITS = 5  # of 64 hash bits that may differ; unrelated photos differ in about 30
MIN_CORRELATION = 0.97  # of the grey thumbnails: equal hashes alone are not sufficient


def dhash(grey: UInt8[np.ndarray, "64 72"]) -> int:
    """Return the 64-bit difference hash: is each of 8 x 8 blocks darker than its right one."""
    blocks = grey.reshape(8, 8, 9, 8).mean((1, 3))
    bits = (blocks[:, 1:] > blocks[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes())


def hashes(items: Sequence[Item]) -> UInt64[np.ndarray, " items"]:
    """Return the hash of each item; 0 if its photo cannot be read."""
    return np.array([0 if i.photo.grey is None else dhash(i.photo.grey) for i in items], np.uint64)


@checks.register("duplicates")
def duplicates(survey: Survey) -> Iterator[Finding]:
    """Yield equal files, then photos that look equal and are in different splits."""
    items = [item for item in survey.items if item.photo.grey is not None]
    seen: dict[bytes, Item] = {}
    copies: set[int] = set()
    for index, item in enumerate(items):
        first = seen.setdefault(item.photo.digest, item)
        if first.photo.path != item.photo.path:
            copies.add(index)
            yield _same(survey, first, item)
        elif {first.split, item.split} <= {*SPLITS} and first.split != item.split:
            copies.add(index)
            yield _in_both(survey, first, item)
    for first, item in _near(items, copies):
        finding = survey.warning(
            "near-duplicate",
            item.photo.path,
            f"in {item.split}, but nearly equal to {survey.relative(first.photo.path)} in "
            f"{first.split}",
            "different scenes in different splits",
            "move both to one split",
        )
        yield replace(finding, other=survey.relative(first.photo.path))


def _same(survey: Survey, first: Item, item: Item) -> Finding:
    apart = first.split != item.split
    create = survey.error if apart else survey.warning
    splits = f" ({first.split} and {item.split})" if apart else ""
    finding = create(
        "duplicate",
        item.photo.path,
        f"same image as {survey.relative(first.photo.path)}{splits}",
        "different photos",
        "remove one of the two",
    )
    return replace(finding, other=survey.relative(first.photo.path))


def _in_both(survey: Survey, first: Item, item: Item) -> Finding:
    return survey.error(
        "duplicate",
        item.photo.path,
        f"listed in both {first.split} and {item.split}",
        "each photo in one split",
        f"remove it from the list of {item.split} or of {first.split}",
    )


def _near(items: Sequence[Item], copies: set[int]) -> Iterator[tuple[Item, Item]]:
    bits = hashes(items)
    splits = np.array([item.split for item in items])
    for index, item in enumerate(items):
        if item.split == "train" or index in copies:
            continue
        distance = np.bitwise_count(bits ^ bits[index])
        near = (distance <= MAX_BITS) & (splits != item.split)
        for other in np.flatnonzero(near).tolist():
            later = splits[other] != "train" and other > index
            if not later and other not in copies and _alike(items[other], item):
                yield items[other], item
                break


def _alike(first: Item, second: Item) -> bool:
    if first.photo.digest == second.photo.digest or first.photo.path == second.photo.path:
        return False
    a, b = (_centred(item) for item in (first, second))
    length = float(np.sqrt((a**2).sum() * (b**2).sum()))
    if length == 0:  # uniform images cannot be compared
        return False
    return float((a * b).sum()) / length > MIN_CORRELATION


def _centred(item: Item) -> np.ndarray:
    grey = np.zeros((64, 72)) if item.photo.grey is None else item.photo.grey.astype(np.float64)
    blocks = grey.reshape(16, 4, 18, 4).mean((1, 3))
    return np.asarray(blocks - blocks.mean())
