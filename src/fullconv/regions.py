"""Connected regions of labels: how large the objects of each class are, in pixels."""

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from fullconv.labels import VOID

SMALLEST = 16  # pixels; less is a slip of the pen, not an object


def regions(labels: UInt8[np.ndarray, "H W"]) -> dict[int, Int64[np.ndarray, "regions 2"]]:
    """The connected regions of each class (4 neighbours): longer side of the box, and pixels.

    Regions of less than `SMALLEST` pixels do not count, void neither.
    """
    row, start, stop, value = _runs(labels)
    parent = list(range(len(row)))
    for upper, lower in _touching(row, start, stop, value, labels.shape[1]):
        one, other = _root(parent, upper), _root(parent, lower)
        parent[max(one, other)] = min(one, other)
    roots = np.array([_root(parent, place) for place in range(len(row))], np.int64)
    _, first, region = np.unique(roots, return_index=True, return_inverse=True)
    shape = (len(first),)
    top, left = np.full(shape, labels.shape[0]), np.full(shape, labels.shape[1])
    bottom, right, pixels = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, int)
    np.minimum.at(top, region, row)
    np.maximum.at(bottom, region, row + 1)
    np.minimum.at(left, region, start)
    np.maximum.at(right, region, stop)
    np.add.at(pixels, region, stop - start)
    sides = np.maximum(bottom - top, right - left).astype(np.int64)
    of_class = value[first]
    kept = (pixels >= SMALLEST) & (of_class != VOID)
    both = np.stack([sides, pixels], 1)
    return {int(label): both[kept & (of_class == label)] for label in np.unique(of_class[kept])}


def _runs(
    labels: UInt8[np.ndarray, "H W"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of one label within a row: row, first column, column behind the last, label."""
    begins: Bool[np.ndarray, "H W"] = np.ones(labels.shape, bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    row, start = np.nonzero(begins)
    flat = row * labels.shape[1] + start
    stop = start + np.diff(np.append(flat, labels.size))
    return row, start, stop, labels[row, start]


def _touching(
    row: np.ndarray, start: np.ndarray, stop: np.ndarray, value: np.ndarray, width: int
) -> list[tuple[int, int]]:
    """The pairs of runs of one label that lie on each other, as (upper, lower)."""
    flat_start, flat_stop = row * width + start, row * width + stop
    # Runs are in reading order, so those under a run are one stretch of the list.
    low = np.searchsorted(flat_stop, flat_start + width, side="right")
    high = np.searchsorted(flat_start, flat_stop + width, side="left")
    count = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(len(row)), count)
    lower = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + low[upper]
    same = value[upper] == value[lower]
    return list(zip(upper[same].tolist(), lower[same].tolist(), strict=True))


def _root(parent: list[int], place: int) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place
