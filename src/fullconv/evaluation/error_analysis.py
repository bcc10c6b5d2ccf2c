"""What kind every wrong pixel is of, and what mean IoU would gain if a kind were right.

Two divisions. By class (Bernhard et al., "What's Outside the Intersection?", WACV 2024): each false
positive and false negative is a boundary, an extent or a segment error, and IoU and the shares of
the three sum to 1. By pixel, for repairs: each wrong pixel is near a boundary, missed, invented or
mixed up, in this order.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, UInt8
from scipy.ndimage import label

from fullconv.evaluation.boundary import bounding_box, positions, present, within
from fullconv.evaluation.image_counts import class_counts, class_iou, mean_known
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID

CLASS_KINDS = ("boundary", "extent", "segment")
PIXEL_KINDS = ("near a boundary", "missed", "invented", "mixed up")
WIDTH = 0.01  # of boundary errors by class, as a share of the image's diagonal
EIGHT = np.ones((3, 3), bool)  # regions are 8-connected

Labels = UInt8[np.ndarray, "H W"]
Mask = Bool[np.ndarray, "H W"]


@dataclass(frozen=True)
class Regions:
    """The 8-connected regions of equal labels.

    Attributes:
        index: region of each pixel, from 1; 0 for ignored pixels.
        count: number of regions.
    """

    index: Integer[np.ndarray, "H W"]
    count: int

    @classmethod
    def of(cls, labels: Labels) -> "Regions":
        """Find the regions of an image."""
        index, count = np.zeros(labels.shape, np.int32), 0
        for value in np.unique(labels[labels != VOID]):
            crop = bounding_box(labels == value)
            mask = labels[crop] == value
            found, number = label(mask, EIGHT)
            index[crop][mask] = found[mask] + count
            count += number
        return cls(index, count)

    def touched(self, mask: Mask) -> Mask:
        """Return the pixels of the regions that have a pixel in a mask."""
        has = np.zeros(self.count + 1, bool)
        has[self.index[mask]] = True
        has[0] = False
        return np.asarray(has[self.index])


@dataclass(frozen=True)
class ImageErrors:
    """The wrong pixels of an image.

    Attributes:
        by_class: false positives and false negatives of each class, by `CLASS_KINDS`.
        kind: position in `PIXEL_KINDS` of each wrong pixel; -1 for the others.
    """

    by_class: Int64[np.ndarray, "K 2 3"]
    kind: Integer[np.ndarray, "H W"]


def analyse_errors(target: Labels, prediction: Labels, classes: int, near: Mask) -> ImageErrors:
    """Find the kind of every wrong pixel.

    Args:
        target: labels; 255 is ignored.
        prediction: predicted classes, 255 where the labels are 255 or there is none.
        classes: number of classes.
        near: pixels near a boundary between classes of the labels.
    """
    right = (target == prediction) & (target != VOID)
    hit, met = Regions.of(target).touched(right), Regions.of(prediction).touched(right)
    kind = _pixel_kinds(target, prediction, near, hit, met)
    by_class = np.zeros((classes, 2, 3), np.int64)
    width = round(WIDTH * math.hypot(*target.shape))
    for value in present(target, prediction, classes):
        crop = bounding_box((target == value) | (prediction == value), 1)
        one, other = target[crop] == value, prediction[crop] == value
        edge = boundary_errors(one, other, width)
        for side, (errors, whole) in enumerate(((other & ~one, met), (one & ~other, hit))):
            rest = errors & ~edge[side]
            extent = int((rest & whole[crop]).sum())
            by_class[value, side] = edge[side].sum(), extent, rest.sum() - extent
    return ImageErrors(by_class, kind)


def pixel_kinds(target: Labels, prediction: Labels, near: Mask) -> Integer[np.ndarray, "H W"]:
    """Return the position in `PIXEL_KINDS` of each wrong pixel; -1 for the others.

    The arguments are those of `analyse_errors`.
    """
    right = (target == prediction) & (target != VOID)
    touched = (Regions.of(labels).touched(right) for labels in (target, prediction))
    return _pixel_kinds(target, prediction, near, *touched)


def _pixel_kinds(
    target: Labels, prediction: Labels, near: Mask, hit: Mask, met: Mask
) -> Integer[np.ndarray, "H W"]:
    """Return the kinds; `hit` and `met` are the regions of both with a correct pixel."""
    wrong = (target != VOID) & (target != prediction)
    kind = np.full(target.shape, -1, np.int8)
    kind[wrong] = np.select(
        [near[wrong], ~hit[wrong], ~met[wrong] & (prediction[wrong] != VOID)], [0, 1, 2], 3
    )
    return kind


def boundary_errors(target: Mask, prediction: Mask, width: int) -> tuple[Mask, Mask]:
    """Return the false positives and false negatives of one class that are boundary errors.

    An error is one if it is within `width` pixels of an error that has both true positives and
    true negatives within `width` pixels, and if its region of such errors touches both.
    """
    positive, negative = target & prediction, ~(target | prediction)
    touching = [neighbourhood(mask) for mask in (positive, negative)]
    borders = [positions(mask & neighbourhood(~mask)) for mask in (positive, negative)]
    radius = math.sqrt(width**2 + width)  # their kernel rounds distances to whole pixels
    false_positive, false_negative = (
        _boundary_region(errors, borders, touching, radius)
        for errors in (prediction & ~target, target & ~prediction)
    )
    return false_positive, false_negative


def _boundary_region(
    errors: Mask, borders: list[np.ndarray], touching: list[Mask], radius: float
) -> Mask:
    found = np.zeros(errors.shape, bool)
    points = positions(errors)
    between = within(points, borders[0], radius)
    between[between] = within(points[between], borders[1], radius)
    if not between.any():
        return found
    inside = between.copy()
    inside[~between] = within(points[~between], points[between], radius)
    at = tuple(points[inside].T)
    found[at] = True
    index, count = label(found, EIGHT)
    region, keep = index[at], np.ones(count + 1, bool)
    for mask in touching:
        touched = np.zeros(count + 1, bool)
        touched[region[mask[at]]] = True
        keep &= touched
    found[at] = keep[region]
    return found


def neighbourhood(mask: Mask) -> Mask:
    """Return the pixels of a mask and their 8 neighbours."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    result = wide.copy()
    result[1:] |= wide[:-1]
    result[:-1] |= wide[1:]
    return result


@dataclass(frozen=True)
class Repair:
    """What mean IoU would gain if some errors were right.

    Attributes:
        what: the errors, such as "missed", or "Pole predicted as Building".
        pixels: their number.
        gain: of mean IoU, alone; gains of several repairs do not add up.
        after: mean IoU if these and all repairs listed before were right.
    """

    what: str
    pixels: int
    gain: float
    after: float


def repairs_by_kind(
    confusion: Confusion, kinds: Int64[np.ndarray, "kinds K predictions"]
) -> list[Repair]:
    """Return the repair of each kind of wrong pixel; `kinds` are their confusion matrices."""
    start, done, repairs = mean_iou(confusion.counts), confusion.counts, []
    for what, part in zip(PIXEL_KINDS, kinds, strict=True):
        done = repaired(done, part)
        gain = mean_iou(repaired(confusion.counts, part)) - start
        repairs.append(Repair(what, int(part.sum()), gain, mean_iou(done)))
    return repairs


def repairs_by_pair(confusion: Confusion, classes: tuple[str, ...], limit: int) -> list[Repair]:
    """Return the repairs of pairs of classes with the largest gains, at most `limit`."""
    counts = confusion.counts
    start, gains = mean_iou(counts), pair_gains(confusion)
    order = np.argsort(-gains, axis=None, kind="stable")[:limit]
    pairs = [(int(flat // len(classes)), int(flat % len(classes))) for flat in order]
    done, repairs = counts, []
    for one, other in pairs:
        part = np.zeros_like(counts)
        part[one, other] = counts[one, other]
        if one != other and part.any():
            done = repaired(done, part)
            what = f"{classes[one]} predicted as {classes[other]}"
            gain = mean_iou(repaired(counts, part)) - start
            repairs.append(Repair(what, int(part.sum()), gain, mean_iou(done)))
    return repairs


def pair_gains(confusion: Confusion) -> Float64[np.ndarray, "K K"]:
    """Return the gain of mean IoU if class `t` predicted as `p` were right, for each [t, p].

    Only two IoU change: `t` has more true positives, `p` fewer false positives.
    """
    counts = class_counts(confusion)
    union, correct, iou = counts.sum(1), counts[:, 0], class_iou(counts)
    known = max(1, int((~np.isnan(iou)).sum()))
    moved = confusion.counts[:, :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        of_target = np.nan_to_num(moved / union[:, None])
        of_prediction = np.nan_to_num(correct / (union - moved) - iou)
    gains = (of_target + of_prediction) / known
    np.fill_diagonal(gains, 0)
    return np.asarray(gains)


def repaired(
    counts: Int64[np.ndarray, "K predictions"], errors: Int64[np.ndarray, "K predictions"]
) -> Int64[np.ndarray, "K predictions"]:
    """Return a confusion matrix in which some errors are predicted correctly."""
    result = np.asarray(counts - errors)
    result[np.diag_indices(len(result))] += errors.sum(1)
    return result


def mean_iou(counts: Int64[np.ndarray, "K predictions"]) -> float:
    """Return the mean IoU of a confusion matrix."""
    return float(mean_known(class_iou(class_counts(Confusion(len(counts), counts)))))
