"""Masks as alternating run lengths (outside, inside, outside, ...), as COCO and CVAT store them."""

import numpy as np
from jaxtyping import Bool

from fullconv.data.labels.patches import Size
from fullconv.errors import DataError


def encode_run_lengths(mask: Bool[np.ndarray, "H W"], by_columns: bool) -> list[int]:
    """Return the lengths of the runs in pixels; the first is 0 if the mask begins inside.

    Args:
        mask: not empty.
        by_columns: whether runs are column by column (COCO) or row by row (CVAT).
    """
    flat = mask.ravel(order="F" if by_columns else "C")
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    lengths: list[int] = np.diff(ends, prepend=0).tolist()
    return [0, *lengths] if flat[0] else lengths


def decode_run_lengths(counts: object, size: Size, by_columns: bool) -> Bool[np.ndarray, "H W"]:
    """Return the mask of alternating run lengths: outside, inside, outside, ...

    Args:
        counts: lengths of the runs, in pixels.
        size: (height, width) of the mask.
        by_columns: whether runs are column by column (COCO) or row by row (CVAT).

    Raises:
        DataError: the lengths are not integers, or do not fill the mask.
    """
    try:
        runs = np.asarray(counts, np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("run lengths that are not whole numbers") from error
    pixels = size[0] * size[1]
    # A sum of larger ones could overflow to the right total.
    valid = runs.ndim == 1 and not ((runs < 0) | (runs > pixels)).any()
    total = sum(runs.tolist()) if runs.ndim == 1 else -1
    if total != pixels or not valid:
        raise DataError(
            f"run lengths that add up to {total:,} pixels where {size[0]} x {size[1]} (height x "
            f"width) are {pixels:,}"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size, order="F" if by_columns else "C")
