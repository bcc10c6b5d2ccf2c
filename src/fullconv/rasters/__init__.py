"""Rasters: pictures that lie on the earth, or are too large to be held whole.

They are read window by window, and labels are written as a Cloud-Optimised GeoTIFF. Beside
`formats`, nothing else knows rasterio.
"""

from fullconv.rasters.bands import Choice, parse_bands, parse_range
from fullconv.rasters.reading import Raster, caching, opened
from fullconv.rasters.signs import Signs, look
from fullconv.rasters.writing import BLOCK, Layer, tags_of, write_cog

__all__ = [
    "BLOCK",
    "Choice",
    "Layer",
    "Raster",
    "Signs",
    "caching",
    "look",
    "opened",
    "parse_bands",
    "parse_range",
    "tags_of",
    "write_cog",
]
