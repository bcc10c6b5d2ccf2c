"""Choose the stride of the network's finest skip from what it can reach on the training masks."""

from collections.abc import Mapping

import numpy as np

from fullconv.data.sample import Data
from fullconv.data.transforms import fit
from fullconv.evaluation.metrics import Confusion, format_percent
from fullconv.evaluation.upper_bounds import (
    COARSE,
    FINER,
    WORTHWHILE,
    add_bounds,
    sample_indices,
    worthwhile_stride,
)

MAX_PIXELS = 8_000_000  # of the masks that are measured: a few seconds


def choose_stride(data: Data, size: tuple[int, int] | None, scale: float = 1.0) -> tuple[int, str]:
    """Return 8, 4 or 2, and a sentence with the upper bounds on IoU that decided.

    Args:
        data: the training samples.
        size: larger images are downscaled to fit this (height, width), as in training.
        scale: factor that images are scaled by then, likewise.
    """
    bounds = {stride: Confusion(len(data.classes)) for stride in (COARSE, *FINER)}
    for index in measured_indices(data, size, scale):
        add_bounds(bounds, fit(data[index], size, scale).labels)
    chosen = worthwhile_stride(bounds)
    if chosen is None:
        return COARSE, f"FCN-{COARSE}s: no pixel is labelled, so no stride can be preferred"
    return chosen, f"FCN-{chosen}s: {_reason(bounds, chosen, data.classes)}"


def measured_indices(data: Data, size: tuple[int, int] | None, scale: float) -> list[int]:
    """Return the indices of the samples that decide; see `choose_stride` for the arguments."""
    pixels = fit(data[0], size, scale).labels.size if len(data) else 1
    return sample_indices(data.names, pixels, MAX_PIXELS)


def _reason(bounds: Mapping[int, Confusion], chosen: int, classes: tuple[str, ...]) -> str:
    """Return what the strides can reach, up to the chosen one and at least the first finer one."""
    coarse, *finer = [stride for stride in bounds if stride >= min(chosen, FINER[0])]
    means = {stride: format_percent(bounds[stride].mean_iou) for stride in bounds}
    parts = [f"stride {coarse} could reach {means[coarse]} mean IoU at best"]
    parts += [f"stride {stride} {means[stride]}" for stride in finer]
    gain = bounds[chosen].iou - bounds[coarse].iou
    if chosen < coarse and bounds[chosen].mean_iou - bounds[coarse].mean_iou < WORTHWHILE:
        best = int(np.nanargmax(gain))
        before, after = (format_percent(bounds[stride].iou[best]) for stride in (coarse, chosen))
        parts.append(f"{classes[best]} {after} instead of {before}")
    return ", ".join(parts)
