"""Upper bounds on IoU by network stride, measured on masks (paper, "upper bounds on IU").

A network of stride 32 predicts on a grid 32 times as coarse as the image, which loses objects
smaller than a cell. The bound is the IoU of masks that are reduced to such a grid and enlarged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from fullconv.evaluation.metrics import Confusion, format_percent
from fullconv.evaluation.regions import connected_regions
from fullconv.io.palettes import VOID

STRIDES = (32, 16, 8, 4, 2)
MAX_MASKS = 200
MAX_PIXELS = 20_000_000  # of all masks that are measured: a few seconds of work
MOST_SHARES = 1 << 25  # of classes and pixels that are computed at a time: some 300 MB
FC7_RECEPTIVE_FIELD = 404  # pixels, of VGG; `fullconv inspect` derives it
COARSE, *FINER = 8, 4, 2  # strides of the networks that are recommended
WORTHWHILE = 0.03  # gain in the bound on mean IoU for which a finer stride is chosen
WORTHWHILE_CLASS = 0.1  # gain in the bound on the IoU of one class, likewise
LOW_BOUND = 0.6  # IoU bound of a class below which the stride counts as too coarse for it
MAX_NAMES = 4  # classes that a sentence lists by name


@dataclass(frozen=True)
class UpperBounds:
    """The IoU that each stride can reach, and the sizes of the objects.

    Attributes:
        classes: class names.
        masks: number of masks measured.
        bounds: stride -> confusion matrix of the coarsened masks against the masks.
        sizes: of each class, the longer sides of its objects' bounding boxes, in pixels.
        pixels: of each class, the pixels of its objects, in the order of `sizes`.
        at: the size at which masks were measured, in words; "" for their own.
    """

    classes: tuple[str, ...]
    masks: int
    bounds: dict[int, Confusion]
    sizes: tuple[Int64[np.ndarray, " _"], ...]
    pixels: tuple[Int64[np.ndarray, " _"], ...]
    at: str = ""

    def size(self, label: int, share: float) -> float:
        """Return the quantile `share` of the class's object sizes, in pixels; nan without any."""
        sizes = self.sizes[label]
        return float(np.quantile(sizes, share)) if sizes.size else float("nan")

    def area_median_size(self, label: int) -> float:
        """Return the size up to which objects hold half of the class's pixels; nan without any.

        Unlike the median, it is not dominated by fragments such as sky between leaves: many
        objects with few pixels.
        """
        order = np.argsort(self.sizes[label])
        if not order.size:
            return float("nan")
        cumulative = self.pixels[label][order].cumsum()
        half = np.searchsorted(cumulative, cumulative[-1] / 2)
        return float(self.sizes[label][order][half])

    @property
    def stride(self) -> int | None:
        """The recommended stride (see `worthwhile_stride`); None without any labelled pixel."""
        return worthwhile_stride(self.bounds)

    def sentences(self) -> list[str]:
        """Return the recommended stride and its reasons in words."""
        return _stride_advice(self)


def sample_indices(names: Sequence[str], pixels: int, total: int = MAX_PIXELS) -> list[int]:
    """Return the indices of a fixed sample of masks: the first by the hash of their names.

    Args:
        names: names of the masks.
        pixels: typical number of pixels of a mask.
        total: pixels of all masks of the sample.

    Returns:
        At most `MAX_MASKS` indices, of about `total` pixels together, ascending.
    """
    count = max(1, min(MAX_MASKS, total // max(1, pixels)))
    ranked = sorted(range(len(names)), key=lambda index: sha256(names[index].encode()).digest())
    return sorted(ranked[:count])


def upper_bounds(
    masks: Iterable[UInt8[np.ndarray, "H W"]], classes: Sequence[str], at: str = ""
) -> UpperBounds:
    """Measure the IoU that each stride can reach on these labels; 255 is ignored.

    Args:
        masks: labels, at the size that bounds are wanted for.
        classes: class names.
        at: that size in words, e.g. " at 1.5 times the photos' size".
    """
    bounds = {stride: Confusion(len(classes)) for stride in STRIDES}
    objects: list[list[np.ndarray]] = [[np.zeros((0, 2), np.int64)] for _ in classes]
    count = 0
    for labels in masks:
        count += 1
        add_bounds(bounds, labels)
        for label, regions in connected_regions(labels).items():
            objects[label].append(regions)
    tables = [np.concatenate(parts) for parts in objects]
    sizes, pixels = (tuple(table[:, column] for table in tables) for column in (0, 1))
    return UpperBounds(tuple(classes), count, bounds, sizes, pixels, at)


def add_bounds(bounds: Mapping[int, Confusion], labels: UInt8[np.ndarray, "H W"]) -> None:
    """Add a mask to the bounds, stride -> confusion matrix."""
    for stride, prediction in coarsened(labels).items():
        if stride in bounds:
            bounds[stride].add(labels, prediction)


def worthwhile_stride(bounds: Mapping[int, Confusion]) -> int | None:
    """Return 8, or 4 or 2 if that raises the bound by 3 points of mean IoU or 10 of any class.

    A finer stride costs time and memory. None if no pixel is labelled.
    """
    chosen = COARSE
    if np.isnan(bounds[chosen].mean_iou):
        return None
    for finer in FINER:
        gain = bounds[finer].mean_iou - bounds[chosen].mean_iou
        class_gain = np.nanmax(bounds[finer].iou - bounds[chosen].iou)
        if gain >= WORTHWHILE or class_gain >= WORTHWHILE_CLASS:
            chosen = finer
    return chosen


def coarsened(labels: UInt8[np.ndarray, "H W"]) -> dict[int, UInt8[np.ndarray, "H W"]]:
    """Return the labels as a perfect network of each stride would predict them.

    The share of each class in every cell of the stride is upsampled bilinearly; each pixel takes
    the class with the largest share.
    """
    present = np.unique(labels[labels != VOID])
    if not present.size:
        return {stride: labels for stride in STRIDES}
    cell = STRIDES[0]  # a pixel depends on the cells beside its own
    height, width = labels.shape
    rows = max(1, MOST_SHARES // (len(present) * width * cell)) * cell
    parts: dict[int, list[np.ndarray]] = {stride: [] for stride in STRIDES}
    for top in range(0, height, rows):
        first = max(0, top - cell)
        found = _coarsened(labels[first : top + rows + cell], present)
        for stride, predicted in found.items():
            parts[stride].append(predicted[top - first : top - first + rows])
    return {stride: np.concatenate(predicted) for stride, predicted in parts.items()}


def _coarsened(
    labels: UInt8[np.ndarray, "H W"], present: UInt8[np.ndarray, " K"]
) -> dict[int, UInt8[np.ndarray, "H W"]]:
    """Return `coarsened` labels of the classes `present`, all at once."""
    height, width = labels.shape
    target = torch.from_numpy(labels)
    sums = torch.stack([target == int(label) for label in present]).float()
    sums = pad(sums, (0, -width % STRIDES[0], 0, -height % STRIDES[0]))
    predictions: dict[int, np.ndarray] = {}
    previous = 1
    for stride in STRIDES[::-1]:  # the sums of coarse cells are sums of fine cells
        sums = _sum_cells(sums, stride // previous)
        previous = stride
        shares = sums / sums.sum(0).clamp(min=1)
        scores = interpolate(shares[None], scale_factor=float(stride), mode="bilinear")[0]
        # max is ten times as fast as argmax here.
        predictions[stride] = present[scores[:, :height, :width].max(0).indices.numpy()]
    return predictions


def _sum_cells(sums: Float[Tensor, "K H W"], factor: int) -> Float[Tensor, "K h w"]:
    return avg_pool2d(sums[None], factor)[0] * factor**2


def _stride_advice(bounds: UpperBounds) -> list[str]:
    if bounds.stride is None:
        return []
    limits = [_limits(bounds, stride) for stride in STRIDES]
    means = ", ".join(
        f"FCN-{stride}s {format_percent(bound.mean_iou)}" for stride, bound in bounds.bounds.items()
    )
    return [
        f"Upper bound on mean IoU{bounds.at}: {means}; choose FCN-{bounds.stride}s",
        *(line for line in limits if line),
    ]


def _limits(bounds: UpperBounds, stride: int) -> str:
    """Name the classes for which the stride is too coarse; "" if there are none."""
    iou = bounds.bounds[stride].iou
    low = [int(label) for label in np.argsort(iou, stable=True) if iou[label] < LOW_BOUND]
    if not low:
        return ""
    named = low if len(low) <= MAX_NAMES else low[: MAX_NAMES - 1]
    names = ", ".join(f"{format_percent(iou[label])} on {bounds.classes[label]}" for label in named)
    left = len(low) - len(named)
    more = f"; {left} more classes stay below {format_percent(LOW_BOUND)}" if left else ""
    return f"FCN-{stride}s cannot exceed an IoU of {names}{more}"
