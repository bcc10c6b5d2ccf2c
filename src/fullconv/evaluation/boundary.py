"""How well boundaries are predicted: boundary IoU, BF score, surface Dice, trimap curve.

Pixels with the ignore label count nowhere: an edge to them is no boundary, and neither is the frame
of the image, except in boundary IoU, as its authors define it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from scipy.ndimage import distance_transform_edt, maximum_filter
from scipy.spatial import KDTree

from fullconv.evaluation.image_table import class_edges
from fullconv.io.palettes import VOID

BAND = 0.02  # width of the bands of boundary IoU, as a share of the image's diagonal
TOLERANCE = 0.0075  # of the BF score and surface Dice, as a share of the image's diagonal
RADII = (1, 2, 3, 5, 8, 12, 20)  # of the trimap curve, in pixels
STRIP = 1 << 20  # pixels whose distances are computed at a time

Labels = UInt8[np.ndarray, "H W"]
Mask = Bool[np.ndarray, "H W"]


def band_width(size: Sequence[int]) -> int:
    """Return the width of boundary IoU's bands in an image of (height, width), in pixels."""
    return max(1, round(BAND * math.hypot(*size)))


def boundary_band(mask: Mask, width: int, ignored: Mask | None = None) -> Mask:
    """Return the pixels of a mask within `width` pixels of its outside (Cheng et al., CVPR 2021).

    The distance is the chessboard distance. The frame of the image counts as outside, `ignored`
    pixels as inside.
    """
    inside = mask if ignored is None else mask | ignored
    return np.asarray(mask & ~_eroded(_eroded(inside, width).T, width).T)


def _eroded(mask: Mask, width: int) -> Mask:
    """Return the pixels whose column has only pixels of the mask up to `width` pixels away."""
    result = np.pad(mask, ((width, width), (0, 0)))
    length, reached = 2 * width + 1, 1
    while reached < length:  # windows of twice the length, up to the last, which overlap
        step = min(reached, length - reached)
        result = result[:-step] & result[step:]
        reached += step
    return result


def boundary_counts(
    target: Labels, prediction: Labels, classes: int, width: int | None = None
) -> Int64[np.ndarray, "K 2"]:
    """Return the intersection and the union of each class's boundary bands, in pixels.

    Args:
        target: labels; 255 is ignored.
        prediction: predicted classes, 255 where the labels are 255 or there is none.
        classes: number of classes.
        width: of the bands in pixels; None for 2 % of the diagonal.
    """
    counts = np.zeros((classes, 2), np.int64)
    width = width or band_width(target.shape)
    ignored = target == VOID
    for label in present(target, prediction, classes):
        crop = bounding_box((target == label) | (prediction == label), width)
        one, other = target[crop] == label, prediction[crop] == label
        first = boundary_band(one, width, ignored[crop])
        second = boundary_band(other, width, ignored[crop])
        counts[label] = (first & second).sum(), (first | second).sum()
    return counts


@dataclass(frozen=True)
class EdgeMatch:
    """How many edge pixels of a class have a partner on the other side.

    Attributes:
        target: edge pixels of the labels: those with a partner, and all.
        prediction: the same of the prediction.
    """

    target: tuple[float, float]
    prediction: tuple[float, float]

    @property
    def f1(self) -> float:
        """The harmonic mean of the shares with a partner (Csurka et al., BMVC 2013)."""
        recall, precision = (
            matched / whole if whole else 0.0 for matched, whole in (self.target, self.prediction)
        )
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    @property
    def surface_dice(self) -> float:
        """The share with a partner of the edge pixels of both sides (Nikolov et al., 2018); NSD."""
        matched, whole = (sum(pair) for pair in zip(self.target, self.prediction, strict=True))
        return matched / whole if whole else math.nan


def boundary_matches(target: Labels, prediction: Labels, classes: int) -> list[EdgeMatch]:
    """Match the edges of an image's labels and prediction, at 0.75 % of the diagonal.

    Of each class with an edge in either. The arguments are those of `boundary_counts`.
    """
    tolerance = TOLERANCE * math.hypot(*target.shape)
    points, values = [], []
    for labels in (target, prediction):
        edges = class_edges(labels)
        points.append(positions(edges))
        values.append(labels[edges])
    pairs = (
        [at[value == label] for at, value in zip(points, values, strict=True)]
        for label in range(classes)
    )
    return [match_edges(one, other, tolerance) for one, other in pairs if len(one) or len(other)]


def match_edges(
    target: Int64[np.ndarray, "N 2"],
    prediction: Int64[np.ndarray, "M 2"],
    tolerance: float,
    lengths: tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " M"]] | None = None,
) -> EdgeMatch:
    """Match edge pixels within a Euclidean distance.

    Args:
        target: (row, column) of the edge pixels of the labels.
        prediction: those of the prediction.
        tolerance: the distance in pixels.
        lengths: of the contour at each pixel of both; None for 1.
    """
    near = within(target, prediction, tolerance), within(prediction, target, tolerance)
    weights = lengths or tuple(np.ones(len(mask)) for mask in near)
    one, other = (
        (float(weight[mask].sum()), float(weight.sum()))
        for weight, mask in zip(weights, near, strict=True)
    )
    return EdgeMatch(one, other)


def within(
    points: Int64[np.ndarray, "N 2"], others: Int64[np.ndarray, "M 2"], radius: float
) -> Bool[np.ndarray, " N"]:
    """Return whether each point has one of the others within a Euclidean distance in pixels.

    Coordinates are whole numbers, from 0. Most points are decided by square cells: those of one
    cell are within the radius, those of far cells are not. Only for the rest a tree is searched.
    """
    found = np.zeros(len(points), bool)
    if not (len(points) and len(others)):
        return found
    side = int(radius / math.sqrt(2)) + 1
    reach = max(0, math.floor((radius - 1) / side) + 1)  # cells that may be within the radius
    cells, other_cells = points // side + reach, others // side + reach
    size = tuple(np.maximum(cells.max(0), other_cells.max(0)) + reach + 1)
    occupied, undecided = np.zeros(size, bool), np.zeros(size, bool)
    occupied[tuple(other_cells.T)] = True
    found |= occupied[tuple(cells.T)]
    rest = np.flatnonzero(~found)
    rest = rest[_widened(occupied, reach)[tuple(cells[rest].T)]]
    if rest.size:
        undecided[tuple(cells[rest].T)] = True
        near = others[_widened(undecided, reach)[tuple(other_cells.T)]]
        bound = math.nextafter(radius, math.inf) * (1 + 1e-12)  # the bound itself is excluded
        distance, _ = KDTree(near).query(points[rest], distance_upper_bound=bound)
        found[rest] = np.isfinite(distance)
    return found


def _widened(mask: Mask, reach: int) -> Mask:
    """Return the pixels within a chessboard distance of a mask."""
    return np.asarray(maximum_filter(mask, 2 * reach + 1, mode="constant"))


def positions(mask: Mask) -> Int64[np.ndarray, "N 2"]:
    """Return row and column of the pixels of a mask, as `np.argwhere`, but three times as fast."""
    return np.stack(np.divmod(np.flatnonzero(mask), mask.shape[1]), 1)


def edge_distance(labels: Labels, limit: int) -> Float64[np.ndarray, "H W"]:
    """Return the Euclidean distance to the nearest edge between classes; beyond `limit`, inf."""
    edges = class_edges(labels)
    height, width = labels.shape
    rows = max(2 * limit, STRIP // width)
    distance = np.full(labels.shape, np.inf)
    for top in range(0, height, rows):
        first, last = max(0, top - limit), min(height, top + rows + limit)
        strip = edges[first:last]
        if strip.any():
            found = distance_transform_edt(~strip)[top - first : top - first + rows]
            distance[top : top + rows] = np.where(found <= limit, found, np.inf)
    return distance


@dataclass
class TrimapCounts:
    """Confusion matrices of the pixels near boundaries.

    Attributes:
        counts: of the pixels at a distance below each of `RADII`, but not below the one before;
            the last matrix is of all other pixels.
    """

    counts: Int64[np.ndarray, "bands K predictions"]

    @classmethod
    def of(cls, classes: int) -> "TrimapCounts":
        """Return counts of zero."""
        return cls(np.zeros((len(RADII) + 1, classes, classes + 1), np.int64))

    def add(self, target: Labels, prediction: Labels, distance: Float64[np.ndarray, "H W"]) -> None:
        """Count the pixels of an image."""
        shape = self.counts.shape
        valid = target != VOID
        band = np.searchsorted(RADII, distance[valid], side="right")
        column = np.minimum(prediction[valid], shape[1])
        codes = (band * shape[1] + target[valid]) * shape[2] + column
        self.counts += np.bincount(codes, minlength=self.counts.size).reshape(shape)

    def within(self) -> Int64[np.ndarray, "bands K predictions"]:
        """Return the confusion matrix of the pixels below each radius; the last is of all."""
        return np.asarray(self.counts.cumsum(0))


def present(target: Labels, prediction: Labels, classes: int) -> list[int]:
    """Return the classes that occur in the labels or the prediction of an image."""
    counts = sum(np.bincount(part.ravel(), minlength=256) for part in (target, prediction))
    return [int(label) for label in np.flatnonzero(np.asarray(counts)[:classes])]


def bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """Return the bounding box of a mask that is not empty, with a margin within the image."""
    box = []
    for axis, size in enumerate(mask.shape):
        along = np.flatnonzero(mask.any(1 - axis))
        first, last = int(along[0]), int(along[-1])
        box.append(slice(max(0, first - margin), min(size, last + 1 + margin)))
    return box[0], box[1]
