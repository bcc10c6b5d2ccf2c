"""Outlines of regions for tools whose polygons have no holes."""

import numpy as np
from jaxtyping import Float64, Int64

from fullconv.data.labels.polygonize import Polygon

INSET = 0.25  # pixels between an outline and the edges of the region's pixels


def single_ring(polygon: Polygon) -> Float64[np.ndarray, "N 2"]:
    """Return a polygon with holes as one line, which LabelMe needs, (row, column) in pixels.

    Each hole is joined by a line that is drawn twice, so it has no area.
    """
    ring, *holes = map(inset, polygon.rings)
    for hole in holes:
        distance = np.abs(ring[:, None] - hole[None]).sum(2)
        one, other = np.unravel_index(int(distance.argmin()), distance.shape)
        around = np.roll(hole, -int(other), 0)
        ring = np.concatenate([ring[: one + 1], around, around[:1], ring[one:]])
    return ring


def inset(ring: Int64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N 2"]:
    """Move the edges of a ring by `INSET` into its region.

    So the region has the same pixels by their centres, and in LabelMe's own rasterization, which
    rounds coordinates down and draws the outline, too: on pixel edges it would grow by a pixel.
    """
    direction = np.sign(np.roll(ring, -1, 0) - ring)  # of the edge that starts at each corner
    inward = np.stack([direction[:, 1], -direction[:, 0]], 1)  # the region is on its right
    return np.asarray(ring + INSET * (inward + np.roll(inward, 1, 0)))
