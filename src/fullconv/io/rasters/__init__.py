"""Rasters: images with coordinates, with any bands, or too large to be held whole.

They are read by windows, and label maps are written as Cloud-Optimised GeoTIFFs. Only this package
imports rasterio, the extra [geo].
"""

from fullconv.io.rasters.bands import OWN_BANDS, BandChoice, parse_bands, parse_options
from fullconv.io.rasters.cog import BLOCK, LabelStyle, read_tags, write_cog
from fullconv.io.rasters.dataset import block_cache
from fullconv.io.rasters.header import Header, read_header
from fullconv.io.rasters.masks import check_alignment, nodata_value, read_mask
from fullconv.io.rasters.reader import Raster, open_raster, read_raster

__all__ = [
    "BLOCK",
    "OWN_BANDS",
    "BandChoice",
    "Header",
    "LabelStyle",
    "Raster",
    "block_cache",
    "check_alignment",
    "nodata_value",
    "open_raster",
    "parse_bands",
    "parse_options",
    "read_header",
    "read_mask",
    "read_raster",
    "read_tags",
    "write_cog",
]
