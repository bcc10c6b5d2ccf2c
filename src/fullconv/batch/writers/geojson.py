"""The answer as GeoJSON (RFC 7946): one polygon with holes for each region of a class.

The corners lie on the pixels' edges: rasterising the polygons gives the labels back. Coordinates
are (x, y): column and row, in pixels from the photo's upper left corner, unless a transform leads
to a map. An outline runs counterclockwise in them, as the standard wants.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.writers import Writer, writers
from fullconv.batch.writers._polygonize import Polygon, Ring, polygons
from fullconv.inference.predictor import Prediction
from fullconv.io.palettes import Palette

PIXELS = (1, 0, 0, 0, 1, 0)
"""The transform of image coordinates: x is the column, y the row."""


def encode(answer: Prediction) -> bytes:
    """All regions, in image coordinates."""
    return b"".join(feature_lines(answer.labels, answer.classes, answer.palette))


def feature_lines(
    labels: UInt8[np.ndarray, "H W"],
    classes: Sequence[str],
    palette: Palette,
    transform: Sequence[float] = PIXELS,
    crs: str | None = None,
) -> Iterator[bytes]:
    """The pieces of a GeoJSON file, one line a region, from the top down.

    Args:
        labels: classes; pixels of 255 belong to no region.
        classes: their names.
        palette: one colour a class, for viewers that show a "fill".
        transform: (a, b, c, d, e, f), as rasterio's: x = a column + b row + c and
            y = d column + e row + f.
        crs: the coordinates' reference system, e.g. "EPSG:32633", which GDAL and QGIS read; None
            says nothing, which means longitude and latitude to them.
    """
    yield f'{{"type":"FeatureCollection",{_crs(crs)}"features":['.encode()
    separator = "\n"
    for polygon in polygons(labels):
        fill = "#{:02x}{:02x}{:02x}".format(*palette[polygon.label])
        yield (separator + _dumped(_feature(polygon, classes, fill, transform))).encode()
        separator = ",\n"
    yield b"\n]}\n"


def _feature(
    polygon: Polygon, classes: Sequence[str], fill: str, transform: Sequence[float]
) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {
            "class": classes[polygon.label],
            "label": polygon.label,
            "pixels": polygon.pixels,
            "fill": fill,
        },
        "geometry": {
            "type": "Polygon",
            "coordinates": [_placed(ring, transform) for ring in polygon.rings],
        },
    }


def _placed(ring: Ring, transform: Sequence[float]) -> list[list[float]]:
    """A closed ring in the transform's coordinates."""
    a, b, c, d, e, f = transform[:6]
    row, column = np.append(ring, ring[:1], 0).T
    points = np.stack([a * column + b * row + c, d * column + e * row + f], 1)
    # A map's y grows upwards where the rows grow downwards: that turns the rings' sense round.
    turned = a * e - b * d < 0
    placed: list[list[float]] = (points[::-1] if turned else points).tolist()
    return placed


def _crs(crs: str | None) -> str:
    if crs is None:
        return ""
    name = {"type": "name", "properties": {"name": crs}}
    return f'"crs":{_dumped(name)},'


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


writers.register("geojson")(
    Writer(".geojson", encode, "polygons with holes along the pixels' edges, one a region")
)
