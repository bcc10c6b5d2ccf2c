"""GDAL rasterizes the GeoJSON polygons to the same labels."""

import json

import numpy as np
import pytest

from fullconv.batch.writers.geojson import PIXELS, geojson_lines

features = pytest.importorskip("rasterio.features", reason="rasterio reads the polygons")

CLASSES, PALETTE = ("sky", "Straße", "car"), ((0, 0, 255), (60, 70, 80), (0, 128, 0))
NORTH_UP = (0.5, 0.0, 600_000.25, 0.0, -0.5, 5_100_000.75)
TURNED = (0.3, 0.4, 10.0, 0.4, -0.3, 20.0)


def labels(seed=0, size=(23, 31)):
    found = np.random.default_rng(seed).integers(0, 3, size).astype(np.uint8)
    found[3:8, 5:11] = 255
    found[12:20, 12:20] = 1
    return found


def encoded(found, **options):
    return json.loads(b"".join(geojson_lines(found, CLASSES, PALETTE, **options)))


def signed_area(ring):
    x, y = np.array(ring[:-1], float).T
    return (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2


@pytest.mark.parametrize("transform", [PIXELS, NORTH_UP, TURNED])
def test_rasterized_polygons_equal_the_labels(transform):
    import rasterio

    shapes = [
        (one["geometry"], one["properties"]["label"])
        for one in encoded(labels(), transform=transform)["features"]
    ]
    affine = rasterio.Affine(*transform)
    again = features.rasterize(shapes, labels().shape, 255, transform=affine, dtype=np.uint8)
    assert (again == labels()).all()


@pytest.mark.parametrize("transform", [PIXELS, NORTH_UP, TURNED])
def test_rings_are_closed_and_outlines_counterclockwise(transform):
    a, b, _, d, e, _ = transform
    for one in encoded(labels(), transform=transform)["features"]:
        outline, *holes = one["geometry"]["coordinates"]
        assert all(ring[0] == ring[-1] and len(ring) >= 5 for ring in (outline, *holes))
        assert signed_area(outline) > 0 and all(signed_area(hole) < 0 for hole in holes)
        area = sum(signed_area(ring) for ring in (outline, *holes)) / abs(a * e - b * d)
        assert area == pytest.approx(one["properties"]["pixels"], abs=1e-3)


def test_a_polygon_has_its_class_and_colour():
    (only,) = encoded(np.ones((2, 5), np.uint8))["features"]
    assert only["properties"] == {"class": "Straße", "label": 1, "pixels": 10, "fill": "#3c4650"}
    ring = [[0, 0], [5, 0], [5, 2], [0, 2], [0, 0]]
    assert only["geometry"] == {"type": "Polygon", "coordinates": [ring]}


def test_ignored_pixels_alone_give_an_empty_collection():
    assert encoded(np.full((3, 3), 255, np.uint8)) == {"type": "FeatureCollection", "features": []}


def test_gdal_reads_the_coordinate_reference_system():
    import rasterio.io  # the same GDAL

    found = encoded(labels(), transform=NORTH_UP, crs="EPSG:32633")
    name = found["crs"]["properties"]["name"]
    assert rasterio.crs.CRS.from_user_input(name).to_epsg() == 32633


def test_one_line_per_region():
    lines = b"".join(geojson_lines(labels(), CLASSES, PALETTE)).decode().splitlines()
    assert len(lines) - 2 == len(encoded(labels())["features"])
