"""The sky: a gradient, haze around the sun, and clouds that thin out towards the horizon."""

import numpy as np
from jaxtyping import Float32

from fullconv.brushes import Size, band, centres
from fullconv.street.light import Picture, Raster
from fullconv.street.materials import SKY
from fullconv.street.scene import Scene

Veil = Float32[np.ndarray, "h w 1"]


def paint_sky(scene: Scene) -> None:
    """Paint all that is above the horizon."""
    camera = scene.camera
    sky = band(camera.size, 0, int(camera.horizon) + 1)
    rows, columns = centres(sky)
    down = np.minimum(rows / camera.horizon, 1)
    color = _air(scene, rows, columns, down)
    veil = _veil(scene, (sky.cover.shape[0], camera.size[1])) * (1 - 0.6 * down)[..., None]
    white = np.array(scene.light.low, np.float32) * np.float32(scene.dice.between(0.8, 1.1))
    scene.canvas.paint(sky, color + veil * (white - color), SKY)


def _air(scene: Scene, rows: Raster, columns: Raster, down: Raster) -> Picture:
    """The gradient, which is brighter around the sun."""
    light, (height, width) = scene.light, scene.camera.size
    top, low = np.array(light.top, np.float32), np.array(light.low, np.float32)
    column = columns - scene.dice.between(0, width)
    row = rows - scene.dice.between(-0.3, 0.4) * height
    far = (column * column + row * row) / (0.09 * width * width)
    air: Picture
    air = top + down[..., None] * (low - top) + (0.35 * light.shadow / (1 + 4 * far))[..., None]
    return air


def _veil(scene: Scene, size: Size) -> Veil:
    """How much of each pixel is cloud, in [0, 0.7]."""
    dice, width = scene.dice, size[1]
    shape = dice.noise(size, width / 5) + dice.noise(size, width / 14)
    veil: Veil
    veil = np.clip(shape * dice.between(0.8, 2.2) - dice.between(0.8, 1.6), 0, 0.7)[..., None]
    return veil
