"""The best mean IU each stride allows (paper, upper bounds)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from fullconv.evaluation.metrics import Confusion, percent
from fullconv.io.palettes import VOID

STRIDES = (32, 16, 8, 4)
MOST_MASKS = 200
MOST_PIXELS = 20_000_000  # of all masks looked at: some seconds of work
FIELD = 404  # pixels that fc7 of VGG sees; `fullconv inspect` derives it
ENOUGH = 0.85  # a mean IU within reach from which a finer stride brings little
NAMED = 4  # classes of which a sentence says what they lose
LOST = 0.6  # an IU that no training can exceed, below which a class counts as lost


@dataclass(frozen=True)
class UpperBounds:
    """What each stride can reach.

    Attributes:
        classes: name of class 0, of class 1, ...
        masks: number of masks looked at.
        bounds: stride -> confusion of the coarse masks with the masks.
        sizes: of each class, the longer sides of its objects' boxes, in pixels.
        pixels: of each class, the pixels of its objects, in the order of `sizes`.
    """

    classes: tuple[str, ...]
    masks: int
    bounds: dict[int, Confusion]
    sizes: tuple[Int64[np.ndarray, " _"], ...]
    pixels: tuple[Int64[np.ndarray, " _"], ...]

    def size(self, label: int, share: float) -> float:
        """The size that `share` of the class's objects stay below, in pixels; nan without any."""
        sizes = self.sizes[label]
        return float(np.quantile(sizes, share)) if sizes.size else float("nan")

    def usual_size(self, label: int) -> float:
        """Half of the class's pixels are in objects of at most this size; nan without any.

        Fragments, such as sky between leaves, are many objects and few pixels.
        """
        order = np.argsort(self.sizes[label])
        if not order.size:
            return float("nan")
        below = self.pixels[label][order].cumsum()
        return float(self.sizes[label][order][np.searchsorted(below, below[-1] / 2)])

    @property
    def stride(self) -> int | None:
        """The coarsest stride that loses no class; None where no labels are known."""
        means = {stride: bound.mean_iu for stride, bound in self.bounds.items()}
        if all(np.isnan(mean) for mean in means.values()):
            return None
        fine = (s for s in STRIDES[:3] if means[s] > ENOUGH and not _lost(self, s))
        return next(fine, 8)

    def sentences(self) -> list[str]:
        """What to choose, and why, in words."""
        return [*_choice(self), *_large(self)]


def chosen(names: Sequence[str], pixels: int) -> list[int]:
    """A sample of masks that is always the same: the first ones by the hash of their names.

    Args:
        names: one a mask.
        pixels: of one mask, about.

    Returns:
        Indices, at most `MOST_MASKS`, and about `MOST_PIXELS` in all.
    """
    most = max(1, min(MOST_MASKS, MOST_PIXELS // max(1, pixels)))
    ranked = sorted(range(len(names)), key=lambda index: sha256(names[index].encode()).digest())
    return sorted(ranked[:most])


def upper_bounds(masks: Iterable[UInt8[np.ndarray, "H W"]], classes: Sequence[str]) -> UpperBounds:
    """Measure what each stride can reach on these labels; 255 is void."""
    bounds = {stride: Confusion(len(classes)) for stride in STRIDES}
    objects: list[list[np.ndarray]] = [[np.zeros((0, 2), np.int64)] for _ in classes]
    count = 0
    for labels in masks:
        count += 1
        for stride, answer in coarse(labels).items():
            bounds[stride].add(labels, answer)
        for label, found in regions(labels).items():
            objects[label].append(found)
    merged = [np.concatenate(parts) for parts in objects]
    sizes, pixels = (tuple(one[:, column] for one in merged) for column in (0, 1))
    return UpperBounds(tuple(classes), count, bounds, sizes, pixels)


def coarse(labels: UInt8[np.ndarray, "H W"]) -> dict[int, UInt8[np.ndarray, "H W"]]:
    """The labels as each of `STRIDES` would give them back."""
    present = np.unique(labels[labels != VOID])
    if not present.size:
        return {stride: labels for stride in STRIDES}
    height, width = labels.shape
    truth = torch.from_numpy(labels)
    each = torch.stack([truth == int(label) for label in present]).float()
    each = pad(each, (0, -width % STRIDES[0], 0, -height % STRIDES[0]))
    answers: dict[int, np.ndarray] = {}
    stride = 1
    for finer in STRIDES[::-1]:  # the sums of coarse cells are sums of fine cells
        each = _cells(each, finer // stride)
        stride = finer
        shares = each / each.sum(0).clamp(min=1)
        large = interpolate(shares[None], scale_factor=float(stride), mode="bilinear")[0]
        # max is ten times as fast as argmax here.
        answers[stride] = present[large[:, :height, :width].max(0).indices.numpy()]
    return answers


def _cells(each: Float[Tensor, "K H W"], factor: int) -> Float[Tensor, "K h w"]:
    return avg_pool2d(each[None], factor)[0] * factor**2


def _choice(advice: UpperBounds) -> list[str]:
    if advice.stride is None:
        return []
    lines = [_lost(advice, stride) for stride in STRIDES]
    reached = ", ".join(f"FCN-{s}s {percent(bound.mean_iu)}" for s, bound in advice.bounds.items())
    return [
        f"The best mean IU within reach: {reached}; choose FCN-{advice.stride}s",
        *(line for line in lines if line),
    ]


def _lost(advice: UpperBounds, stride: int) -> str:
    iu = advice.bounds[stride].iu
    lost = [int(label) for label in np.argsort(iu, stable=True) if iu[label] < LOST]
    if not lost:
        return ""
    first = lost if len(lost) <= NAMED else lost[: NAMED - 1]
    shown = ", ".join(f"{percent(iu[label])} on {advice.classes[label]}" for label in first)
    left = len(lost) - len(first)
    more = f"; {left} more stay below {percent(LOST)}" if left else ""
    return f"FCN-{stride}s cannot exceed {shown}{more}"


def _large(advice: UpperBounds) -> list[str]:
    wide = [
        name
        for label, name in enumerate(advice.classes)
        if advice.usual_size(label) > FIELD and name.strip("_").casefold() != "background"
    ]
    if not wide:
        return []
    return [
        f"most pixels of {', '.join(wide)} are in objects larger than the {FIELD} pixels that fc7 "
        "of VGG sees: it sees them in part only; a smaller --size shows it more, and loses small "
        "objects"
    ]


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
