"""Draw where a dense classifier sees a class: its score map as a heat map over the image."""

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.errors import ConfigError
from fullconv.io.images import caption
from fullconv.networks.geometry import CoordMap, Field


def heat_map(
    score: Float[Tensor, "K h w"],
    class_index: int,
    image: UInt8[np.ndarray, "H W 3"],
    field: Field | None = None,
    strength: float = 0.65,
) -> UInt8[np.ndarray, "H W 3"]:
    """Return the grey image under the class probability: dark is the lowest, yellow the highest.

    Args:
        score: the dense classifier's scores before softmax.
        class_index: the class to show, from 0.
        image: the image that was scored, RGB in [0, 255].
        field: maps score positions to the image (`dense.field`); None spreads them evenly.
        strength: opacity of the colours in [0, 1].

    Raises:
        ConfigError: `class_index` is out of range.
    """
    heat = class_heat(score, class_index, image.shape[:2], field)
    spread = float(heat.max() - heat.min())
    level = (heat - heat.min()) / spread if spread > 0 else np.zeros_like(heat)
    grey = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    mixed = (1 - strength) * grey[..., None] + strength * heat_colors(level)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def heat_picture(
    score: Float[Tensor, "K h w"],
    class_index: int,
    image: UInt8[np.ndarray, "H W 3"],
    field: Field | None,
    title: str,
) -> UInt8[np.ndarray, "h2 W 3"]:
    """Return the heat map below a title, and above a scale with the lowest and highest probability.

    Raises:
        ConfigError: `class_index` is out of range.
    """
    heat = class_heat(score, class_index, image.shape[:2], field)
    width = image.shape[1]
    ends = [f"{100 * value:.2g} %" for value in (float(heat.min()), float(heat.max()))]
    side = min(70, width // 3)
    low, high = (caption(text, side) for text in ends)
    ramp = np.linspace(0, 1, width - 2 * side)[None].repeat(len(low), 0)
    scale = np.concatenate([low, heat_colors(ramp), high], axis=1)
    picture = heat_map(score, class_index, image, field)
    return np.concatenate([caption(title, width), picture, scale])


def heat_colors(level: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return the colours of values in [0, 1]: from black over red to yellow."""
    from matplotlib import colormaps  # slow to import

    return np.asarray((colormaps["inferno"](level)[..., :3] * 255).round(), np.uint8)


def class_heat(
    score: Float[Tensor, "K h w"],
    class_index: int,
    size: tuple[int, int],
    field: Field | None = None,
) -> Float[np.ndarray, "H W"]:
    """Return the probability of a class at every pixel, interpolated bilinearly.

    Pixels outside the outermost score positions take the nearest one.

    Raises:
        ConfigError: `class_index` is out of range.
    """
    if not 0 <= class_index < len(score):
        raise ConfigError(
            f"the classifier has no class {class_index}; expected 0 to {len(score) - 1}"
        )
    heat = score.double().softmax(0)[class_index].cpu().numpy()
    for axis, side in enumerate(size):
        heat = _along(heat, axis, side, field.map if field else None)
    return heat


def _along(
    heat: Float[np.ndarray, "h w"], axis: int, side: int, position: CoordMap | None
) -> Float[np.ndarray, "H W"]:
    """Interpolate along one axis to `side` pixels."""
    count = heat.shape[axis]
    pixels = np.arange(side)
    if position:
        at = (pixels - float(position.shift)) / float(position.scale)
    else:
        at = (pixels + 0.5) * count / side - 0.5
    at = at.clip(0, count - 1)
    low = np.minimum(at.astype(int), max(count - 2, 0))
    high = np.minimum(low + 1, count - 1)
    share = (at - low)[:, None] if axis == 0 else at - low
    mixed: Float[np.ndarray, "H W"]
    mixed = (1 - share) * heat.take(low, axis) + share * heat.take(high, axis)
    return mixed
