"""The size of the objects of each class, and how thin they are."""

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from fullconv.io.palettes import VOID

MIN_PIXELS = 16  # smaller regions are annotation noise, not objects


def connected_regions(labels: UInt8[np.ndarray, "H W"]) -> dict[int, Int64[np.ndarray, "N 2"]]:
    """Return (longer side of the bounding box, pixels) of the regions of each class.

    Regions are 4-connected. Regions of fewer than `MIN_PIXELS` pixels and of the ignore label are
    left out.
    """
    row, start, stop, value = _runs(labels)
    parent = list(range(len(row)))
    for upper, lower in _touching(row, start, stop, value, labels.shape[1]):
        first, second = _root(parent, upper), _root(parent, lower)
        parent[max(first, second)] = min(first, second)
    roots = np.array([_root(parent, run) for run in range(len(row))], np.int64)
    _, first_run, region = np.unique(roots, return_index=True, return_inverse=True)
    shape = (len(first_run),)
    top, left = np.full(shape, labels.shape[0]), np.full(shape, labels.shape[1])
    bottom, right, pixels = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, int)
    np.minimum.at(top, region, row)
    np.maximum.at(bottom, region, row + 1)
    np.minimum.at(left, region, start)
    np.maximum.at(right, region, stop)
    np.add.at(pixels, region, stop - start)
    sides = np.maximum(bottom - top, right - left).astype(np.int64)
    classes = value[first_run]
    kept = (pixels >= MIN_PIXELS) & (classes != VOID)
    table = np.stack([sides, pixels], 1)
    return {int(label): table[kept & (classes == label)] for label in np.unique(classes[kept])}


def thickness(labels: UInt8[np.ndarray, "H W"]) -> dict[int, float]:
    """Return how thin each class is, in pixels: half of its pixels are in thinner parts.

    A pixel's part is as thin as the shorter of its row's and its column's run of the class. The
    ignore label and classes of fewer than `MIN_PIXELS` pixels are left out.
    """
    shorter = np.minimum(_run_lengths(labels), _run_lengths(np.ascontiguousarray(labels.T)).T)
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[VOID] = 0
    present = np.flatnonzero(counts >= MIN_PIXELS).tolist()
    return {label: float(np.median(shorter[labels == label])) for label in present}


def _run_lengths(labels: UInt8[np.ndarray, "H W"]) -> Int64[np.ndarray, "H W"]:
    """Return the length of each pixel's run within its row."""
    _, start, stop, _ = _runs(labels)
    return np.repeat(stop - start, stop - start).reshape(labels.shape)


def _runs(
    labels: UInt8[np.ndarray, "H W"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return row, first column, column after the last, and label of the runs within each row."""
    begins: Bool[np.ndarray, "H W"] = np.ones(labels.shape, bool)
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    row, start = np.nonzero(begins)
    flat = row * labels.shape[1] + start
    stop = start + np.diff(np.append(flat, labels.size))
    return row, start, stop, labels[row, start]


def _touching(
    row: np.ndarray, start: np.ndarray, stop: np.ndarray, value: np.ndarray, width: int
) -> list[tuple[int, int]]:
    """Return the pairs (upper, lower) of runs of one label that touch vertically."""
    flat_start, flat_stop = row * width + start, row * width + stop
    # Runs are in reading order, so those below a run are consecutive in the list.
    low = np.searchsorted(flat_stop, flat_start + width, side="right")
    high = np.searchsorted(flat_start, flat_stop + width, side="left")
    count = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(len(row)), count)
    lower = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + low[upper]
    same = value[upper] == value[lower]
    return list(zip(upper[same].tolist(), lower[same].tolist(), strict=True))


def _root(parent: list[int], node: int) -> int:
    """Find the root of a union-find tree, halving the path."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node
