"""Choose the working scale and the size of training windows, from the objects in the masks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.data.sample import Data
from fullconv.evaluation.regions import connected_regions, thickness
from fullconv.io.images import fit_size

SCALES = (0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.5)
TOLERANCE = 1.1  # a scale counts as reached from a tenth below it
THIN = 2.0  # strides: parts of a class that are thinner are worth enlarging
MOST_PIXELS = {"cpu": 3e6, "gpu": 12e6}  # of a typical photo at its working scale
LEAST_PIXELS = 512 * 512  # photos are not downscaled below this for the sake of context

LEAST_WINDOW = 224  # side of a training window in pixels, at least, if steps may be so large
WHOLE = 1.5  # windows: photos of fewer pixels are taken whole
ALIGN = 32  # pixels: windows are whole cells of the coarsest stride
MEASURED = 9  # samples whose masks are measured
LARGEST_MASK = 2048  # rows and columns of a mask that are measured: the central ones


@dataclass(frozen=True)
class ObjectSizes:
    """The typical size of the photos of a data set and of the objects on them, in pixels.

    Attributes:
        photo: (height, width).
        thin: thickness of the thinnest class.
        thin_class: its name.
        extent: side of a square of the area of a typical object of the class with the largest ones;
            the class with the most pixels is left out as background. 0 without objects.
    """

    photo: tuple[int, int]
    thin: float
    thin_class: str
    extent: float


@dataclass(frozen=True)
class WorkingScale:
    """The factor that photos are scaled by, and why, as a clause; "" if they keep their size."""

    factor: float
    reason: str = ""

    def __str__(self) -> str:
        if self.factor == 1:
            return "photos are used at their own size (change with --scale)"
        why = f": {self.reason}" if self.reason else ""
        other = " (--scale 1 keeps their size)"
        return f"photos are used at {self.factor:g} times their size{why}{other}"


def object_sizes(data: Data) -> ObjectSizes:
    """Measure about nine samples of a data set."""
    photos: list[tuple[int, ...]] = []
    thin: dict[int, list[float]] = {}
    extents: dict[int, list[float]] = {}
    pixels = np.zeros(256, np.int64)
    for labels in _masks(data, photos):
        for label, width in thickness(labels).items():
            thin.setdefault(label, []).append(width)
        for label, found in connected_regions(labels).items():
            extents.setdefault(label, []).append(_typical_extent(found[:, 1]))
            pixels[label] += found[:, 1].sum()
    height, width = (sorted(sides)[len(sides) // 2] for sides in zip(*photos, strict=True))
    # Medians of the samples: one mask with a huge object, or a coarse one, decides nothing.
    widths = {label: float(np.median(found)) for label, found in thin.items()}
    thinnest = min(widths, key=lambda label: widths[label], default=None)
    name = "" if thinnest is None else data.classes[thinnest]
    least = np.inf if thinnest is None else widths[thinnest]
    if len(extents) > 1:
        extents.pop(int(pixels.argmax()), None)
    extent = max((float(np.median(found)) for found in extents.values()), default=0.0)
    return ObjectSizes((height, width), least, name, extent)


def _masks(data: Data, photos: list[tuple[int, ...]]) -> Iterator[UInt8[np.ndarray, "H W"]]:
    """Yield the central parts of some masks; their photos' sizes are added to `photos`."""
    for index in range(0, len(data), max(1, len(data) // MEASURED)):
        labels = data[index].labels
        photos.append(labels.shape)
        top, left = (max(0, side - LARGEST_MASK) // 2 for side in labels.shape)
        yield labels[top : top + LARGEST_MASK, left : left + LARGEST_MASK]


def _typical_extent(areas: Int64[np.ndarray, " _"]) -> float:
    """Return the extent up to which objects hold half of the pixels: fragments do not count."""
    ordered = np.sort(areas)
    return sqrt(float(ordered[np.searchsorted(ordered.cumsum(), ordered.sum() / 2)]))


def choose_scale(
    sizes: ObjectSizes, stride: int, field: Callable[[], int], device: str = "cpu"
) -> WorkingScale:
    """Choose the factor that photos are scaled by before the network.

    Photos keep their size, unless

    - a class is thinner than two strides of the network: they are enlarged, by at most 1.5;
    - objects are larger than the network's receptive field, and no class is thin: downscaled;
    - a typical photo would have more than `MOST_PIXELS`, which takes long: downscaled, but where a
      class is thin at most to twice the sides that the time would ask for.

    Args:
        sizes: of the data set.
        stride: the finest of the network, in pixels.
        field: returns the side of its receptive field; it is asked only for large objects.
        device: "cpu", or another kind of device.
    """
    height, width = sizes.photo
    pixels, needed = height * width, THIN * stride / sizes.thin
    wanted, reason = 1.0, ""
    if needed > 1:
        wanted = min(needed, SCALES[-1])
        reason = (
            f"{sizes.thin_class} is about {sizes.thin:.0f} pixels wide, which is thin for a "
            f"stride of {stride}"
        )
    elif sizes.extent > LARGEST_MASK // 8 and sizes.extent > (seen := field()):
        wanted = max(seen / sizes.extent, needed, sqrt(LEAST_PIXELS / pixels))
        reason = (
            f"objects of about {sizes.extent:.0f} pixels are larger than the network's receptive "
            f"field of {seen}"
        )
    limit = sqrt(MOST_PIXELS["cpu" if device == "cpu" else "gpu"] / pixels)
    if wanted > limit:
        wanted = max(limit, min(needed, 2 * limit, 1.0))
        reason = f"photos of {height} x {width} pixels take long at their own size"
    factor = max((s for s in SCALES if s <= wanted * TOLERANCE), default=SCALES[0])
    return WorkingScale(factor, "" if factor == 1 else reason)


def choose_window(sizes: ObjectSizes, factor: float, most: int) -> tuple[int, int]:
    """Choose the (height, width) of training windows.

    A window is twice as wide as a typical object, and at least `LEAST_WINDOW`, within `most`.
    Photos with less than one and a half times the pixels of a window are taken whole.

    Args:
        sizes: of the data set.
        factor: the working scale.
        most: pixels of a window.
    """
    height, width = fit_size(sizes.photo, None, factor)
    wanted = ceil(2 * sizes.extent * factor / ALIGN) * ALIGN
    largest = int(sqrt(most)) // ALIGN * ALIGN
    side = min(max(wanted, LEAST_WINDOW), largest)
    whole = height * width <= WHOLE * side**2
    return (height, width) if whole else (min(side, height), min(side, width))
