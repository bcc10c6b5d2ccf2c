"""Which stride a data set needs: its own masks, made coarse and enlarged again (paper, section 4).

The rule: each mask becomes one share a class in cells of stride x stride pixels (void left out),
the shares are enlarged by bilinear interpolation, and the largest share answers each pixel. This is
the best that a network with a score at that stride and bilinear upsampling is likely to reach.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from fullconv.metrics import Confusion, percent
from fullconv.sample import VOID

STRIDES = (32, 16, 8, 4)
MOST_MASKS = 200
MOST_PIXELS = 20_000_000  # of all masks looked at: some seconds of work
SMALLEST = 16  # pixels; less is a slip of the pen, not an object
FIELD = 404  # pixels that fc7 of VGG sees; `fullconv inspect` derives it
LOST = 0.6  # an IU that no training can exceed, below which a class counts as lost


@dataclass(frozen=True)
class Advice:
    """What each stride can reach.

    Attributes:
        classes: name of class 0, of class 1, ...
        masks: number of masks looked at.
        bounds: stride -> confusion of the coarse masks with the masks.
        sizes: of each class, the longer sides of its objects' boxes, in pixels.
    """

    classes: tuple[str, ...]
    masks: int
    bounds: dict[int, Confusion]
    sizes: tuple[Int64[np.ndarray, " _"], ...]

    def size(self, label: int, share: float) -> float:
        """The size that `share` of the class's objects stay below, in pixels; nan without any."""
        sizes = self.sizes[label]
        return float(np.quantile(sizes, share)) if sizes.size else float("nan")

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


def advise(masks: Iterable[UInt8[np.ndarray, "H W"]], classes: Sequence[str]) -> Advice:
    """Measure what each stride can reach on these labels; 255 is void."""
    bounds = {stride: Confusion(len(classes)) for stride in STRIDES}
    sizes: list[list[np.ndarray]] = [[] for _ in classes]
    count = 0
    for labels in masks:
        count += 1
        for stride, answer in coarse(labels).items():
            bounds[stride].add(labels, answer)
        for label, sides in object_sizes(labels).items():
            sizes[label].append(sides)
    merged = tuple(np.concatenate([np.zeros(0, np.int64), *parts]) for parts in sizes)
    return Advice(tuple(classes), count, bounds, merged)


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


def object_sizes(labels: UInt8[np.ndarray, "H W"]) -> dict[int, Int64[np.ndarray, " _"]]:
    """The longer side of the box of each connected region, by class (4 neighbours)."""
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
    return {int(label): sides[kept & (of_class == label)] for label in np.unique(of_class[kept])}


def _cells(each: Float[Tensor, "K H W"], factor: int) -> Float[Tensor, "K h w"]:
    return avg_pool2d(each[None], factor)[0] * factor**2


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


def _choice(advice: Advice) -> list[str]:
    means = {stride: bound.mean_iu for stride, bound in advice.bounds.items()}
    if all(np.isnan(mean) for mean in means.values()):
        return []
    lines = [_lost(advice, stride) for stride in STRIDES]
    best = next(
        (stride for stride in STRIDES[:3] if not _lost(advice, stride) and means[stride] > 0.85), 8
    )
    reached = ", ".join(f"FCN-{stride}s {percent(mean)}" for stride, mean in means.items())
    return [
        f"The best mean IU within reach: {reached}; choose FCN-{best}s",
        *(line for line in lines if line),
    ]


def _lost(advice: Advice, stride: int) -> str:
    iu = advice.bounds[stride].iu
    lost = [int(label) for label in np.argsort(iu, stable=True) if iu[label] < LOST]
    if not lost:
        return ""
    shown = ", ".join(f"{percent(iu[label])} on {advice.classes[label]}" for label in lost[:3])
    more = f", and {percent(LOST)} on {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"FCN-{stride}s cannot exceed {shown}{more}"


def _large(advice: Advice) -> list[str]:
    wide = [
        name
        for label, name in enumerate(advice.classes)
        if advice.sizes[label].size and advice.size(label, 0.5) > FIELD
    ]
    if not wide:
        return []
    return [
        f"more than half of the objects of {', '.join(wide)} are larger than the {FIELD} pixels "
        "that fc7 of VGG sees: scale the photos down with --size"
    ]
