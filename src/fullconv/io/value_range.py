"""Scale values with more than 8 bits to [0, 255], by the range that becomes black and white."""

import numpy as np
from jaxtyping import Shaped, UInt8

ValueRange = tuple[float, float]

_BLOCK = 2**20  # values at a time: looking them up takes 8 bytes for each


def scale_values(
    values: Shaped[np.ndarray, "*shape"], value_range: ValueRange
) -> UInt8[np.ndarray, "*shape"]:
    """Scale numbers linearly so that a range becomes [0, 255]; values outside of it are clipped.

    NaN becomes 0.

    Args:
        values: whole or floating-point numbers.
        value_range: the values that become 0 and 255.
    """
    flat = values.reshape(-1)
    scaled = np.empty(flat.shape, np.uint8)
    table = None
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        # At most 65,536 different values: scale each of them once and look the pixels up.
        span = np.iinfo(values.dtype)
        # A negative value counts from the table's end, so 0 has to be its first entry.
        table = np.roll(_stretched(np.arange(span.min, span.max + 1), value_range), int(span.min))
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        rows = _stretched(part, value_range) if table is None else table[part]
        scaled[start : start + _BLOCK] = rows
    return scaled.reshape(values.shape)


def _stretched(values: np.ndarray, value_range: ValueRange) -> np.ndarray:
    low, high = value_range
    share = (np.nan_to_num(values.astype(np.float64), nan=low) - low) / (high - low)
    stretched: np.ndarray = (share.clip(0, 1) * 255).round().astype(np.uint8)
    return stretched
