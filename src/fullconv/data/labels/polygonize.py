"""Polygonize labels along pixel edges, with holes; nothing is smoothed or left out.

Pixel (i, j) is the square from corner (i, j) to corner (i + 1, j + 1). Pixels of one class that
share a side form one polygon; pixels that only touch at a corner do not.

Each side of a pixel whose neighbour has another class is an edge, directed so that the pixel is on
its right. The two pixels ahead of an edge decide which edge follows, so all successors are found at
once, and following them gives the rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from fullconv.io.palettes import VOID

EDGE_BYTES = 320  # of memory for tracing an edge, and for the corner in the JSON of one polygon
PIXEL_BYTES = 8  # of memory for finding the edges

Ring = Int64[np.ndarray, "_ 2"]
Numbers = Int64[np.ndarray, "_"]

# The sides of a pixel, clockwise, each directed towards the next one.
_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_OUTWARD = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # (row, column)
_START = np.array(
    [(0, 0), (0, 1), (1, 1), (1, 0)]
)  # the corner of the pixel that a side starts from


@dataclass(frozen=True)
class Polygon:
    """A connected region of one class.

    Attributes:
        label: its class.
        pixels: its area.
        rings: the outline, clockwise on the screen, then the holes, counterclockwise; each is the
            (row, column) of its corners in pixels, without repeating the first. No ring visits a
            corner twice; two rings may share one.
    """

    label: int
    pixels: int
    rings: tuple[Ring, ...]


@dataclass(frozen=True)
class _Edges:
    """All edges of a padded label array, sorted by side and then by pixel.

    Attributes:
        padded: the labels, flat, with a border of the ignore label.
        width: columns of `padded`.
        pixels: flat index of each edge's pixel.
        sides: which of the pixel's sides the edge is.
    """

    padded: UInt8[np.ndarray, " P"]
    width: int
    pixels: Numbers
    sides: Numbers

    def at(self, pixels: Numbers, sides: Numbers) -> Numbers:
        """Return the indices of the edges at these sides of these pixels."""
        keys = self.sides * self.padded.size + self.pixels
        indices: Numbers = np.searchsorted(keys, sides * self.padded.size + pixels)
        return indices


@dataclass(frozen=True)
class _Rings:
    """The rings, one after the other.

    Attributes:
        edges: indices of the edges, ring by ring, each ring from its first top edge on.
        starts: offset in `edges` of each ring.
    """

    edges: Numbers
    starts: Numbers

    @property
    def rings(self) -> Numbers:
        """The ring of each of `edges`."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.edges)))

    def ring_of_edge(self) -> Numbers:
        """Return the ring of each edge, in the order of `_Edges`."""
        rings = np.empty_like(self.edges)
        rings[self.edges] = self.rings
        return rings


def polygonize(labels: UInt8[np.ndarray, "H W"]) -> Iterator[Polygon]:
    """Yield the polygons of a label array, by uppermost and then leftmost pixel.

    Args:
        labels: classes; pixels of 255 (ignore) belong to no polygon.
    """
    edges = _find_edges(labels)
    if not len(edges.pixels):
        return
    traced = _trace_rings(_find_successors(edges), edges)
    areas, corners = _signed_areas(traced, edges), _ring_corners(traced, edges)
    holes = _assign_holes(traced, edges, areas)
    for ring in np.flatnonzero(areas > 0).tolist():
        label = int(edges.padded[edges.pixels[traced.edges[traced.starts[ring]]]])
        rings = [ring, *holes.get(ring, ())]
        yield Polygon(label, int(areas[rings].sum()), tuple(corners[r] for r in rings))


def tracing_bytes(labels: UInt8[np.ndarray, "H W"]) -> int:
    """Return the memory that `polygonize` takes, with the JSON of one polygon at a time.

    It depends on the edges: hundredths of an edge per pixel are usual, noise has up to 4.
    """
    return PIXEL_BYTES * labels.size + EDGE_BYTES * count_edges(labels)


def count_edges(labels: UInt8[np.ndarray, "H W"]) -> int:
    """Return the number of sides of pixels on the outlines, holes and the image's border included.

    Where two classes meet, both have an edge; pixels of 255 (ignore) have none.
    """
    edges = 0
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        differ = one != other
        edges += int(np.count_nonzero(differ & (one != VOID)))
        edges += int(np.count_nonzero(differ & (other != VOID)))
    border = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    return edges + sum(int(np.count_nonzero(line != VOID)) for line in border)


def _find_edges(labels: UInt8[np.ndarray, "H W"]) -> _Edges:
    padded = np.pad(labels, 1, constant_values=VOID)
    pixels = []
    for row, column in _OUTWARD.tolist():
        # Values that roll over the border have the ignore label on both sides.
        neighbours = np.roll(padded, (-row, -column), (0, 1))
        pixels.append(np.flatnonzero((padded != neighbours) & (padded != VOID)))
    sides = np.repeat(np.arange(4), list(map(len, pixels)))
    return _Edges(padded.ravel(), padded.shape[1], np.concatenate(pixels), sides)


def _find_successors(edges: _Edges) -> Numbers:
    """Return the edge that follows each edge.

    Where two pixels of one class only touch at a corner, each ring first stays at its own pixel.
    If both pixels are then on one ring, they are connected elsewhere, and the ring visits that
    corner twice: swapping the two successors there cuts the ring in two.
    """
    steps = _OUTWARD @ (edges.width, 1)
    ahead = edges.pixels + steps[(edges.sides + 1) % 4]
    aside = ahead + steps[edges.sides]
    labels = edges.padded[edges.pixels]
    turns, across = edges.padded[ahead] != labels, edges.padded[aside] == labels
    pixels = np.where(turns, edges.pixels, np.where(across, aside, ahead))
    sides = (edges.sides + np.where(turns, 1, np.where(across, 3, 0))) % 4
    successors = edges.at(pixels, sides)
    touching = np.flatnonzero(turns & across)
    opposite = edges.at(aside[touching], (edges.sides[touching] + 2) % 4)
    ring = _trace_rings(successors, edges).ring_of_edge()
    same = ring[touching] == ring[opposite]
    successors[touching[same]] = successors[opposite[same]]
    return successors


def _trace_rings(successors: Numbers, edges: _Edges) -> _Rings:
    after, seen = successors.tolist(), bytearray(len(successors))
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
    return _Rings(np.array(order, np.int64), np.array(starts, np.int64))


def _signed_areas(traced: _Rings, edges: _Edges) -> Numbers:
    """Return the pixels inside each ring, negative for holes: the integral of x dy."""
    sides, columns = edges.sides[traced.edges], edges.pixels[traced.edges] % edges.width
    parts = (sides == _RIGHT) * (columns + 1) - (sides == _LEFT) * columns
    return np.add.reduceat(parts, traced.starts)


def _ring_corners(traced: _Rings, edges: _Edges) -> list[Ring]:
    sides, pixels = edges.sides[traced.edges], edges.pixels[traced.edges]
    before = np.arange(len(sides)) - 1
    before[traced.starts] = np.append(traced.starts[1:], len(sides)) - 1
    bends = np.flatnonzero(sides != sides[before])
    corners = np.stack([pixels // edges.width, pixels % edges.width], 1)[bends] - 1
    return np.split(corners + _START[sides[bends]], np.searchsorted(bends, traced.starts[1:]))


def _assign_holes(traced: _Rings, edges: _Edges, areas: Numbers) -> dict[int, list[int]]:
    """Map each outline to its holes.

    From the pixel above a hole, go left through pixels of the class to the first edge. It belongs
    to the outline, or to a hole that starts higher up, whose outline is then known.
    """
    bottoms = np.where(edges.sides == _BOTTOM, edges.pixels, edges.padded.size)[traced.edges]
    above = np.minimum.reduceat(bottoms, traced.starts)
    first = int(np.searchsorted(edges.sides, _LEFT))
    nearest = first + np.searchsorted(edges.pixels[first:], above, side="right") - 1
    meets = traced.ring_of_edge()[nearest].tolist()
    outline: dict[int, int] = {}
    for ring in np.flatnonzero(areas < 0)[np.argsort(above[areas < 0], kind="stable")].tolist():
        outline[ring] = outline.get(meets[ring], meets[ring])
    holes: dict[int, list[int]] = {}
    for ring in sorted(outline):
        holes.setdefault(outline[ring], []).append(ring)
    return holes
