"""How far answers in parts are from the whole's, on the user's own pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._console import say

if TYPE_CHECKING:
    from fullconv.batch.inputs import Input
    from fullconv.batch.worker import Image, Reading
    from fullconv.model import Model


SIDE = 1024  # pixels of a raster's middle that are compared


def verify(
    model: "Model", inputs: "Sequence[Input]", reading: "Reading", memory: str | None
) -> None:
    """Compare them on the first photo and the first raster.

    Raises:
        ConfigError: there is neither on this machine, or the model is an exported file.
    """
    from fullconv.errors import ConfigError
    from fullconv.export.exported import Exported
    from fullconv.inference.tiling import verify as compare
    from fullconv.io.storage import local_path

    if isinstance(model, Exported):
        raise ConfigError("--verify-tiles needs a model as it was trained, not an exported file")
    first: dict[str, Path] = {}
    for item in inputs:
        if item.medium != "video" and (path := local_path(item.where)):
            first.setdefault(item.medium, path)
    if not first:
        raise ConfigError("--verify-tiles needs a photo or a raster that is a file of this machine")
    for medium, path in first.items():
        image = _middle(path, reading) if medium == "raster" else _shown(path, model)
        say(f"{path}: {compare(model.network, image, memory)}")


def _shown(path: Path, model: "Model") -> "Image":
    """A photo as the network gets it."""
    from fullconv.io.images import fit_size, read_image, scale_image

    image = read_image(path)
    return scale_image(image, fit_size(image.shape, model.size))


def _middle(path: Path, reading: "Reading") -> "Image":
    from fullconv.io.rasters import opened
    from fullconv.io.window import Window

    with opened(path, reading.bands, reading.limits) as raster:
        high, wide = (min(side, SIDE) for side in raster.size)
        top, left = ((raster.size[0] - high) // 2, (raster.size[1] - wide) // 2)
        return raster.read(Window(top, left, high, wide))
