"""What each input is: a photo, a raster that is read window by window, or a video."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fullconv.errors import ConfigError
from fullconv.images import MAX_PIXELS, SUFFIXES
from fullconv.inputs import Input, Medium
from fullconv.rasters import look
from fullconv.storage import local_path
from fullconv.videofile import SUFFIXES as VIDEOS
from fullconv.videofile import is_video


def told_apart(inputs: Iterable[Input], rasters_only: bool = False) -> list[Input]:
    """The inputs, each with its medium.

    Args:
        inputs: from `inputs.gather`.
        rasters_only: read every TIFF, PNG and JPEG as a raster, as the choice of bands asks for.

    Raises:
        ConfigError: bands are chosen for a picture that is no file of this machine.
    """
    return [replace(item, medium=_medium(item, rasters_only)) for item in inputs]


def _medium(item: Input, rasters_only: bool) -> Medium:
    path = local_path(item.where)
    if _is_video(item.where, path):
        return "video"
    if path is None:
        if rasters_only:
            raise ConfigError(f"{item.where}: --bands and --range need files of this machine")
        return "photo"
    return "raster" if _is_raster(path, rasters_only) else "photo"


def _is_video(where: str, path: Path | None) -> bool:
    """By its first bytes; by its name where it lies far away or is not there."""
    suffix = Path(where).suffix.lower()
    if suffix in SUFFIXES:
        return False
    return suffix in VIDEOS or (path is not None and path.is_file() and is_video(path))


def _is_raster(path: Path, asked: bool) -> bool:
    """Whether it lies on the earth, is too large to be held whole, or is called a raster."""
    signs = look(path)
    if signs is None:
        return False
    return asked or signs.placed or signs.height * signs.width > MAX_PIXELS
