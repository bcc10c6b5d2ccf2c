"""Where a dense classifier sees a class: its grid of scores as a heat map over the photo."""

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.errors import ConfigError
from fullconv.networks.geometry import CoordMap, Field


def heat_map(
    score: Float[Tensor, "K h w"],
    class_index: int,
    image: UInt8[np.ndarray, "H W 3"],
    field: Field | None = None,
    strength: float = 0.65,
) -> UInt8[np.ndarray, "H W 3"]:
    """The photo in grey under the class's probability: dark where it is least, yellow where most.

    Args:
        score: of every class at every place of the grid, before softmax.
        class_index: the class to show, from 0.
        image: the photo that was scored, RGB in [0, 255].
        field: where the places lie in the photo (`dense.field`); None: spread evenly over it.
        strength: of the colours, from 0 (photo) to 1 (colours).

    Returns:
        RGB in [0, 255], of the photo's size.

    Raises:
        ConfigError: there is no class of this number.
    """
    from matplotlib import colormaps  # slow to import

    heat = class_heat(score, class_index, image.shape[:2], field)
    spread = float(heat.max() - heat.min())
    level = (heat - heat.min()) / spread if spread > 0 else np.zeros_like(heat)
    colors = colormaps["inferno"](level)[..., :3] * 255
    grey = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    mixed = (1 - strength) * grey[..., None] + strength * colors
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def class_heat(
    score: Float[Tensor, "K h w"],
    class_index: int,
    size: tuple[int, int],
    field: Field | None = None,
) -> Float[np.ndarray, "H W"]:
    """The probability of a class at every pixel, bilinear between the places that were scored.

    Outside the outermost places, where nothing was scored, it is the nearest one's.

    Raises:
        ConfigError: there is no class of this number.
    """
    if not 0 <= class_index < len(score):
        raise ConfigError(
            f"class {class_index} of a classifier of {len(score)}; give 0 to {len(score) - 1}"
        )
    heat = score.double().softmax(0)[class_index].cpu().numpy()
    for axis, side in enumerate(size):
        heat = _along(heat, axis, side, field.map if field else None)
    return heat


def _along(
    heat: Float[np.ndarray, "h w"], axis: int, side: int, place: CoordMap | None
) -> Float[np.ndarray, "H W"]:
    """Values at the pixels of one side of the photo."""
    count = heat.shape[axis]
    pixels = np.arange(side)
    if place:
        at = (pixels - float(place.shift)) / float(place.scale)
    else:
        at = (pixels + 0.5) * count / side - 0.5
    at = at.clip(0, count - 1)
    low = np.minimum(at.astype(int), max(count - 2, 0))
    high = np.minimum(low + 1, count - 1)
    share = (at - low)[:, None] if axis == 0 else at - low
    mixed: Float[np.ndarray, "H W"]
    mixed = (1 - share) * heat.take(low, axis) + share * heat.take(high, axis)
    return mixed
