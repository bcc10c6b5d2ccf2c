"""Rasters: pictures that lie on the earth, or are too large to be held whole.

They are read window by window, and labels are written as a Cloud-Optimised GeoTIFF. Beside
`formats`, nothing else knows rasterio.
"""

from fullconv.io.rasters.bands import Choice, parse_bands, parse_range
from fullconv.io.rasters.cog import BLOCK, Layer, tags_of, write_cog
from fullconv.io.rasters.header import Signs, look
from fullconv.io.rasters.reader import Raster, caching, opened

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
