"""Compare tiled with whole-image prediction on the user's own images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._console import say

if TYPE_CHECKING:
    from fullconv.batch.inputs import Input
    from fullconv.batch.job import Image
    from fullconv.io.rasters import BandChoice
    from fullconv.model import Model


SIDE = 1024  # pixels of a raster's centre that are compared


def verify_tiled(
    model: "Model", inputs: "Sequence[Input]", band_choice: "BandChoice", memory: str | None
) -> None:
    """Print how tiled prediction differs on the first photo and the first raster.

    Raises:
        ConfigError: neither is a local file, or the model is an exported file.
    """
    from fullconv.errors import ConfigError
    from fullconv.inference.tiling import verify
    from fullconv.io.storage import local_path

    if model.exported:
        raise ConfigError("--verify-tiles needs a trained model, not an exported file")
    first: dict[str, Path] = {}
    for item in inputs:
        if item.medium != "video" and (path := local_path(item.where)):
            first.setdefault(item.medium, path)
    if not first:
        raise ConfigError("--verify-tiles needs a photo or a raster that is a local file")
    for medium, path in first.items():
        if medium == "raster":
            image = _read_centre(path, band_choice)
        else:
            image = _read_photo(path, model, band_choice)
        say(f"{path}: {verify(model.network, image, memory)}")


def _read_photo(path: Path, model: "Model", band_choice: "BandChoice") -> "Image":
    """Read a photo as the network gets it."""
    from fullconv.io.images import read_image, with_inputs

    photo = read_image(path, band_choice.value_range)
    return model.network_input(with_inputs(photo, path, model.inputs))


def _read_centre(path: Path, band_choice: "BandChoice") -> "Image":
    from fullconv.io.rasters import open_raster
    from fullconv.io.window import Window

    with open_raster(path, band_choice) as raster:
        height, width = (min(side, SIDE) for side in raster.size)
        top, left = ((raster.size[0] - height) // 2, (raster.size[1] - width) // 2)
        return raster.read(Window(top, left, height, width))
