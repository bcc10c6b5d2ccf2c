"""Labels as GeoJSON (RFC 7946): one polygon with holes for each region of a class.

The corners are on pixel edges, so rasterizing the polygons restores the labels exactly. Coordinates
are (x, y): column and row, in pixels from the photo's upper left corner, unless an affine transform
to map coordinates is given. Outlines run counterclockwise, as the standard demands.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.writers import Writer, writers
from fullconv.data.labels.polygonize import (
    Polygon,
    Ring,
    count_edges,
    polygonize,
    tracing_bytes,
)
from fullconv.inference.prediction import Prediction
from fullconv.io.palettes import Palette

PIXELS = (1, 0, 0, 0, 1, 0)
"""The affine transform of image coordinates: x is the column, y the row."""

FEATURE = 160  # bytes of a region without its corners and its class name


def encode(prediction: Prediction) -> bytes:
    """Return a GeoJSON file of all regions, in image coordinates."""
    lines = geojson_lines(prediction.labels, prediction.classes, prediction.palette)
    return b"".join(lines)


def encoding_bytes(prediction: Prediction) -> int:
    """Return the memory that `encode` takes: for the polygons, and for the file, at most twice."""
    labels = prediction.labels
    names = (len(_to_json(name).encode()) for name in prediction.classes)
    corner = 2 * len(f"{max(labels.shape)}.0,") + len("[],")
    # A region has at least four edges, and its ring repeats the first corner.
    file = count_edges(labels) * (FEATURE + max(names) + 5 * corner) // 4
    return max(tracing_bytes(labels) + file, 2 * file)


def geojson_lines(
    labels: UInt8[np.ndarray, "H W"],
    classes: Sequence[str],
    palette: Palette,
    transform: Sequence[float] = PIXELS,
    crs: str | None = None,
) -> Iterator[bytes]:
    """Yield the lines of a GeoJSON file, one per region, from top to bottom.

    Args:
        labels: classes; pixels of 255 belong to no region.
        classes: class names.
        palette: one colour per class, stored as "fill", which viewers display.
        transform: (a, b, c, d, e, f), as rasterio's: x = a column + b row + c and
            y = d column + e row + f.
        crs: the coordinate reference system, e.g. "EPSG:32633", which GDAL and QGIS read; with
            None they assume longitude and latitude.
    """
    yield f'{{"type":"FeatureCollection",{_format_crs(crs)}"features":['.encode()
    separator = "\n"
    for polygon in polygonize(labels):
        fill = "#{:02x}{:02x}{:02x}".format(*palette[polygon.label])
        yield (separator + _to_json(_feature(polygon, classes, fill, transform))).encode()
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
            "coordinates": [_transform_ring(ring, transform) for ring in polygon.rings],
        },
    }


def _transform_ring(ring: Ring, transform: Sequence[float]) -> list[list[float]]:
    """Return a closed ring in the transform's coordinates."""
    a, b, c, d, e, f = transform[:6]
    row, column = np.append(ring, ring[:1], 0).T
    points = np.stack([a * column + b * row + c, d * column + e * row + f], 1)
    # On a map y grows upwards, while rows grow downwards: that reverses the orientation.
    mirrored = a * e - b * d < 0
    coordinates: list[list[float]] = (points[::-1] if mirrored else points).tolist()
    return coordinates


def _format_crs(crs: str | None) -> str:
    if crs is None:
        return ""
    name = {"type": "name", "properties": {"name": crs}}
    return f'"crs":{_to_json(name)},'


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


writers.register("geojson")(
    Writer(
        ".geojson",
        encode,
        "one polygon with holes per region, along the pixels' edges",
        pixel_bytes=64,
        encoding_bytes=encoding_bytes,
    )
)
