"""Rasters: images with coordinates, with any bands, or too large to be held whole.

They are read by windows, and label maps are written as Cloud-Optimized GeoTIFFs. Only this package
imports rasterio, the extra [geo].
"""

from fullconv.io.rasters.bands import OWN_BANDS, BandChoice, parse_bands, parse_options
from fullconv.io.rasters.cog import BLOCK, LabelStyle, read_tags, write_cog
from fullconv.io.rasters.dataset import block_cache
from fullconv.io.rasters.header import RasterHeader, parse_raster_header, read_raster_header
from fullconv.io.rasters.masks import (
    check_alignment,
    nodata_value,
    raster_palette,
    read_raster_mask,
)
from fullconv.io.rasters.reader import Raster, open_raster, read_raster

__all__ = [
    "BLOCK",
    "OWN_BANDS",
    "BandChoice",
    "LabelStyle",
    "Raster",
    "RasterHeader",
    "block_cache",
    "check_alignment",
    "nodata_value",
    "open_raster",
    "parse_bands",
    "parse_options",
    "parse_raster_header",
    "raster_palette",
    "read_raster",
    "read_raster_header",
    "read_raster_mask",
    "read_tags",
    "write_cog",
]
