"""Refuse shapes that cannot have been drawn on their photo: they would be clipped away."""

from collections.abc import Sequence

from fullconv.data.labels.patches import Extent, Size
from fullconv.data.labels.rasterize import Layer
from fullconv.errors import DataError

# Tools let the last point of an outline lie a little outside.
_OUTSIDE = 5.0  # pixels between a photo and a shape that is not in it
# Of a side: how far a shape may reach where the annotation has no size to check the photo by.
_BEYOND = 0.05
_AT_LEAST = 10.0  # pixels, for small photos


def check_fit(layers: Sequence[Layer], size: Size) -> None:
    """Raise the error of the first shape that lies wholly outside of its photo.

    Args:
        layers: the shapes.
        size: (height, width) of the photo.

    Raises:
        DataError: a shape is more than 5 pixels away from the photo.
    """
    for layer in layers:
        extent = layer.patch.extent
        if extent and _distance_outside(extent, size) > _OUTSIDE:
            raise DataError(
                f"a shape outside of its photo, at {_spans(extent)}; the photo has "
                f"{size[0]} x {size[1]} pixels (height x width)",
                expected="the photo that was annotated",
                remedy="restore it, or correct or delete the shape",
                where=layer.where,
            )


def check_reach(layers: Sequence[Layer], size: Size) -> None:
    """Raise the error of the first shape that reaches too far out of a photo of unknown size.

    Without a size in the annotation, only its coordinates show that it is of another photo, or of
    this one in another size.

    Args:
        layers: the shapes, whose coordinates are pixels.
        size: (height, width) of the photo.

    Raises:
        DataError: a shape reaches more than 5 % of a side, and 10 pixels, out of the photo.
    """
    for layer in layers:
        extent = layer.patch.extent
        if extent and not _is_near(extent, size):
            raise DataError(
                f"a shape at {_spans(extent)}, which reaches far out of its photo of {size[0]} x "
                f"{size[1]} pixels (height x width); the annotation does not say the photo's size",
                expected="the photo that was annotated",
                remedy="restore it, or scale the shapes; if both are right, add the photo's height "
                "and width to the annotation",
                where=layer.where,
            )


def _distance_outside(extent: Extent, size: Size) -> float:
    before = max(-extent.bottom, -extent.right)
    return max(before, extent.top - size[0], extent.left - size[1])


def _is_near(extent: Extent, size: Size) -> bool:
    down, across = (max(_AT_LEAST, _BEYOND * side) for side in size)
    inside = extent.top >= -down and extent.left >= -across
    return inside and extent.bottom <= size[0] + down and extent.right <= size[1] + across


def _spans(extent: Extent) -> str:
    return (
        f"rows {extent.top:.0f} to {extent.bottom:.0f} and columns {extent.left:.0f} to "
        f"{extent.right:.0f}"
    )
