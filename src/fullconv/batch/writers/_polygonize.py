"""Labels -> polygons with holes, along the pixels' own edges: nothing is smoothed or left out.

Pixel (i, j) is the square from corner (i, j) to corner (i + 1, j + 1). Pixels of one class that
share a side form one polygon; those that touch at a corner only do not.

Each side of a pixel whose neighbour is of another class is an edge, walked so that the pixel lies
on the right. Where an edge ends, the two pixels ahead decide which edge follows: so all followers
are found at once, and walking along them gives the rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.io.palettes import VOID

Ring = Int64[np.ndarray, "_ 2"]
Numbers = Int64[np.ndarray, "_"]

# The sides of a pixel, clockwise, each walked towards the next one.
_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_OUTWARD = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # (row, column)
_START = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])  # from which corner of its pixel


@dataclass(frozen=True)
class Polygon:
    """Pixels of one class that hang together.

    Attributes:
        label: their class.
        pixels: how many they are.
        rings: the outline, clockwise as one sees it, then the holes, the other way round; each is
            the (row, column) of its corners, in pixels, the first one not repeated. No ring comes
            twice to one corner; two rings may share one.
    """

    label: int
    pixels: int
    rings: tuple[Ring, ...]


@dataclass(frozen=True)
class _Edges:
    """All edges of a framed raster, by side and then by pixel.

    Attributes:
        framed: the labels, flat, with a row or column of void on every side.
        width: columns of it.
        pixels: flat index of each edge's pixel.
        sides: which of the pixel's sides the edge is.
    """

    framed: UInt8[np.ndarray, " P"]
    width: int
    pixels: Numbers
    sides: Numbers

    def at(self, pixels: Numbers, sides: Numbers) -> Numbers:
        """The numbers of the edges at these sides of these pixels."""
        keys = self.sides * self.framed.size + self.pixels
        found: Numbers = np.searchsorted(keys, sides * self.framed.size + pixels)
        return found


@dataclass(frozen=True)
class _Walk:
    """The rings of the edges, one after the other.

    Attributes:
        edges: numbers of the edges, ring by ring, each ring from its first top edge on.
        starts: where in `edges` each ring begins.
    """

    edges: Numbers
    starts: Numbers

    @property
    def rings(self) -> Numbers:
        """The number of the ring, for each of `edges`."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.edges)))

    def ring_of_edge(self) -> Numbers:
        """The number of the ring, for each edge in the edges' own order."""
        found = np.empty_like(self.edges)
        found[self.edges] = self.rings
        return found


def polygons(labels: UInt8[np.ndarray, "H W"]) -> Iterator[Polygon]:
    """The polygons of a label raster, by their uppermost pixel and of those the leftmost.

    Args:
        labels: classes; pixels of 255 (void) belong to no polygon.
    """
    edges = _edges(labels)
    if not len(edges.pixels):
        return
    walk = _walk(_following(edges), edges)
    areas, corners = _areas(walk, edges), _corners(walk, edges)
    holes = _holes(walk, edges, areas)
    for ring in np.flatnonzero(areas > 0).tolist():
        label = int(edges.framed[edges.pixels[walk.edges[walk.starts[ring]]]])
        own = [ring, *holes.get(ring, ())]
        yield Polygon(label, int(areas[own].sum()), tuple(corners[one] for one in own))


def _edges(labels: UInt8[np.ndarray, "H W"]) -> _Edges:
    framed = np.pad(labels, 1, constant_values=VOID)
    found = []
    for row, column in _OUTWARD.tolist():
        # What rolls over the frame is void on either side.
        neighbours = np.roll(framed, (-row, -column), (0, 1))
        found.append(np.flatnonzero((framed != neighbours) & (framed != VOID)))
    sides = np.repeat(np.arange(4), [len(one) for one in found])
    return _Edges(framed.ravel(), framed.shape[1], np.concatenate(found), sides)


def _following(edges: _Edges) -> Numbers:
    """The edge that each edge leads to.

    Where two pixels of one class touch at a corner only, each walk first stays at its own pixel.
    If both are then on one ring, they hang together elsewhere, and the ring comes twice to that
    corner: there the two walks change places, which cuts the ring in two.
    """
    steps = _OUTWARD @ (edges.width, 1)
    ahead = edges.pixels + steps[(edges.sides + 1) % 4]
    aside = ahead + steps[edges.sides]
    own = edges.framed[edges.pixels]
    turns, across = edges.framed[ahead] != own, edges.framed[aside] == own
    pixels = np.where(turns, edges.pixels, np.where(across, aside, ahead))
    sides = (edges.sides + np.where(turns, 1, np.where(across, 3, 0))) % 4
    following = edges.at(pixels, sides)
    touching = np.flatnonzero(turns & across)
    opposite = edges.at(aside[touching], (edges.sides[touching] + 2) % 4)
    ring = _walk(following, edges).ring_of_edge()
    same = ring[touching] == ring[opposite]
    following[touching[same]] = following[opposite[same]]
    return following


def _walk(following: Numbers, edges: _Edges) -> _Walk:
    after, seen = following.tolist(), bytearray(len(following))
    order: list[int] = []
    starts: list[int] = []
    for first in range(int((edges.sides == _TOP).sum())):  # every ring has a top edge
        if seen[first]:
            continue
        starts.append(len(order))
        edge = first
        while not seen[edge]:
            seen[edge] = 1
            order.append(edge)
            edge = after[edge]
    return _Walk(np.array(order, np.int64), np.array(starts, np.int64))


def _areas(walk: _Walk, edges: _Edges) -> Numbers:
    """The pixels that each ring goes round, below 0 for holes: the integral of x dy."""
    sides, columns = edges.sides[walk.edges], edges.pixels[walk.edges] % edges.width
    parts = (sides == _RIGHT) * (columns + 1) - (sides == _LEFT) * columns
    return np.add.reduceat(parts, walk.starts)


def _corners(walk: _Walk, edges: _Edges) -> list[Ring]:
    sides, pixels = edges.sides[walk.edges], edges.pixels[walk.edges]
    before = np.arange(len(sides)) - 1
    before[walk.starts] = np.append(walk.starts[1:], len(sides)) - 1
    bends = np.flatnonzero(sides != sides[before])
    places = np.stack([pixels // edges.width, pixels % edges.width], 1)[bends] - 1
    return np.split(places + _START[sides[bends]], np.searchsorted(bends, walk.starts[1:]))


def _holes(walk: _Walk, edges: _Edges, areas: Numbers) -> dict[int, list[int]]:
    """Outline -> its holes.

    From the pixel above a hole, go left through pixels of the class to the first edge. It belongs
    to the outline, or to a hole that begins higher up, whose outline is then known.
    """
    bottoms = np.where(edges.sides == _BOTTOM, edges.pixels, edges.framed.size)[walk.edges]
    above = np.minimum.reduceat(bottoms, walk.starts)
    first = int(np.searchsorted(edges.sides, _LEFT))
    nearest = first + np.searchsorted(edges.pixels[first:], above, side="right") - 1
    meets = walk.ring_of_edge()[nearest].tolist()
    outline: dict[int, int] = {}
    for ring in np.flatnonzero(areas < 0)[np.argsort(above[areas < 0], kind="stable")].tolist():
        outline[ring] = outline.get(meets[ring], meets[ring])
    holes: dict[int, list[int]] = {}
    for ring in sorted(outline):
        holes.setdefault(outline[ring], []).append(ring)
    return holes
