"""Class weights for imbalanced classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64

from fullconv.data.sample import Data

Weights = Float64[np.ndarray, " K"]

MAX_SAMPLES = 500  # of twice as many samples, the pixels of every second one are counted
ENET_CONSTANT = 1.02  # of Paszke et al. (2016), section 5.2: bounds the weights by 1 and 50


@dataclass(frozen=True)
class Counts:
    """Pixel counts from which class weights are computed.

    Attributes:
        pixels: pixels of each class.
        present: pixels, ignored ones included, of all images in which each class occurs.
    """

    pixels: Int64[np.ndarray, " K"]
    present: Int64[np.ndarray, " K"]


def none(counts: Counts) -> Weights:
    """Return weights of 1, the paper's choice (section 4.3, class balancing)."""
    return np.where(counts.pixels > 0, 1.0, np.nan)


def median_frequency(counts: Counts) -> Weights:
    """Return median frequency over frequency, counted in the images that contain the class.

    Eigen and Fergus (2015), section 5; used by SegNet.
    """
    return _median_ratio(_ratio(counts.pixels, counts.present))


def median_share(counts: Counts) -> Weights:
    """Return median frequency over frequency, counted in all images: rare classes weigh more."""
    return _median_ratio(_ratio(counts.pixels, counts.pixels.sum()))


def enet(counts: Counts) -> Weights:
    """Return 1 / ln(1.02 + frequency), between 1.4 and 50.5 (Paszke et al., 2016)."""
    return 1 / np.log(ENET_CONSTANT + _ratio(counts.pixels, counts.pixels.sum()))


def inverse_square_root(counts: Counts) -> Weights:
    """Return 1 / sqrt(frequency), scaled to a mean of 1."""
    return _normalize_mean(1 / np.sqrt(_ratio(counts.pixels, counts.pixels.sum())))


def effective_number(counts: Counts) -> Weights:
    """Return (1 - b) / (1 - b^n) for n pixels, scaled to a mean of 1 (Cui et al., 2019).

    b is (N - 1) / N, where N is the mean number of pixels per class: classes with fewer pixels
    weigh about their inverse frequency, those with more are hardly reduced.
    """
    pixels = np.where(counts.pixels > 0, counts.pixels, np.nan).astype(np.float64)
    mean = float(np.nanmean(pixels)) if np.isfinite(pixels).any() else 2.0
    # expm1 and log1p: b is so close to 1 that 1 - b^n would lose all digits.
    power = np.log1p(-1 / max(mean, 2.0))
    numbers = np.expm1(pixels * power) / np.expm1(power)
    return _normalize_mean(1 / numbers)


RULES: Mapping[str, Callable[[Counts], Weights]] = {
    "none": none,
    "median-freq": median_frequency,
    "median-share": median_share,
    "enet": enet,
    "sqrt-inv": inverse_square_root,
    "effective": effective_number,
}
"""Rules by their names in settings. A class without pixels has the weight nan."""


def _ratio(part: np.ndarray, whole: np.ndarray | np.int64) -> Weights:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.asarray(part / whole, np.float64)
    return np.where(part > 0, shares, np.nan)


def _median_ratio(frequency: Weights) -> Weights:
    known = frequency[~np.isnan(frequency)]
    return np.asarray((np.median(known) if known.size else np.nan) / frequency)


def _normalize_mean(weights: Weights) -> Weights:
    known = weights[~np.isnan(weights)]
    return np.asarray(weights / (known.mean() if known.size else 1.0))


def class_weights(data: Data, rule: str, device: torch.device) -> torch.Tensor | None:
    """Return the weight of each class in the loss; None if all are equal.

    A class without pixels has the weight 0, but the largest one if not all masks were read: it may
    occur in the others.
    """
    if rule == "none":
        return None
    weights = RULES[rule](count_labels(data))
    if len(counted(data)) < len(data) and not np.isnan(weights).all():
        weights = np.where(np.isnan(weights), np.nanmax(weights), weights)
    return torch.tensor(np.nan_to_num(weights), dtype=torch.float32, device=device)


def count_labels(data: Data) -> Counts:
    """Count pixels in the samples of `counted`."""
    counts = count_images(data)
    classes = counts[:, : len(data.classes)]
    return Counts(classes.sum(0), counts.sum(1) @ (classes > 0))


def count_images(data: Data) -> Int64[np.ndarray, "N 256"]:
    """Count the pixels of each label, 255 for ignored ones, in each sample of `counted`."""
    rows = [np.bincount(data[index].labels.ravel(), minlength=256) for index in counted(data)]
    return np.array(rows, np.int64).reshape(-1, 256)


def counted(data: Data) -> range:
    """Return the indices of the samples whose pixels are counted: all, or evenly spaced ones.

    There are fewer than twice `MAX_SAMPLES`.
    """
    return range(0, len(data), max(1, len(data) // MAX_SAMPLES))
