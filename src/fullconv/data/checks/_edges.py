"""Tell masks that were resampled with interpolation from exact ones, by their edges."""

import numpy as np
from jaxtyping import Bool, Integer

MAX_FRINGE = 0.3  # `fringe` above which a mask was interpolated; CamVid's stay below 0.06
_FRINGE_ROWS = 4  # every fourth row is as informative as all
_MIN_EDGES = 20  # in those rows; fewer say nothing
_INSIDE = 0.1  # share of a class's pixels within itself up to which it is a thin outline
_USUAL = 0.9  # share of the steps between two values that pass through one and the same value


def fringe(raw: Integer[np.ndarray, "H W"]) -> float:
    """Return the share of edges that pass through intermediate values, in [0, 1].

    Interpolation affects nearly every edge; in an exact mask such edges are a coincidence, or the
    thin outlines of `outlined_fringe`.
    """
    rows = raw[::_FRINGE_ROWS].astype(np.int32)
    return _share(int(_between(rows).sum()), int(_sharp(rows).sum())) if rows.shape[1] >= 4 else 0.0


def outlined_fringe(raw: Integer[np.ndarray, "H W"]) -> float:
    """Return `fringe` without the edges of nested classes with a thin outline, such as a cell wall.

    Such an edge is a step of a single pixel between two plateaus. Its value is the same between
    these two classes everywhere, and of a class that is thin wherever it occurs. Interpolation of
    values that are classes too takes several steps, or steps of a class with an interior elsewhere.
    """
    rows = raw[::_FRINGE_ROWS].astype(np.int32)
    if rows.shape[1] < 5:
        return 0.0
    soft, single = _between(rows), np.zeros_like(_between(rows))
    single[:, 1:-1] = (rows[:, :-4] == rows[:, 1:-3]) & (rows[:, 3:-1] == rows[:, 4:])
    single &= soft
    ends = np.sort(np.stack([rows[:, :-2][soft], rows[:, 2:][soft]]), 0)
    pairs, pair = np.unique(ends, axis=1, return_inverse=True)
    middle, alone = rows[:, 1:-1][soft], single[soft]
    left = len(middle)
    for number in range(pairs.shape[1]):
        chosen = pair == number
        values, counts = np.unique(middle[chosen], return_counts=True)
        usual = int(values[counts.argmax()])
        if counts.max() >= _USUAL * counts.sum() and _is_thin(raw == usual):
            left -= int((alone & chosen & (middle == usual)).sum())
    return _share(left, int(_sharp(rows).sum()) + len(middle) - left)


def _between(rows: Integer[np.ndarray, "h W"]) -> Bool[np.ndarray, "h w"]:
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    found: Bool[np.ndarray, "h w"] = np.minimum(left, right) < middle
    found &= middle < np.maximum(left, right)
    return found


def _sharp(rows: Integer[np.ndarray, "h W"]) -> Bool[np.ndarray, "h w"]:
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    found: Bool[np.ndarray, "h w"] = np.abs(left - middle) > 1
    found &= middle == right
    return found


def _share(soft: int, hard: int) -> float:
    return float(soft / (soft + hard)) if soft + hard >= _MIN_EDGES else 0.0


def _is_thin(pixels: Bool[np.ndarray, "H W"]) -> bool:
    """Return whether hardly any pixel has eight neighbours of its class."""
    inner = pixels[1:-1] & pixels[:-2] & pixels[2:]
    inner = inner[:, 1:-1] & inner[:, :-2] & inner[:, 2:]
    return bool(inner.sum() <= _INSIDE * pixels.sum())
