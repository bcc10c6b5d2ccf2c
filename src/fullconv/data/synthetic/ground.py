"""The ground: asphalt and pavement with paint, joints, verges, shadows and puddles."""

import numpy as np
from jaxtyping import Float32

from fullconv.data.synthetic.canvas import Size, Stroke, band, centres
from fullconv.data.synthetic.scene import ROAD, SKY, Color, Kinds, Picture, Raster, Scene

# What lies on the ground; a number is a place in the colours of `_colors`.
ASPHALT, PAVING, PAINT, KERB, LANE, JOINT, VERGE = range(7)
LANES: tuple[Color, ...] = ((0.52, 0.26, 0.22), (0.26, 0.42, 0.28), (0.24, 0.32, 0.48))


def paint_ground(scene: Scene) -> None:
    """Paint all that is below the horizon; all of it is road."""
    camera, dice = scene.camera, scene.dice
    ground = band(camera.size, int(camera.horizon) + 1, camera.size[0])
    rows, columns = centres(ground)
    z = camera.focal * camera.eye / (rows - camera.horizon)
    x = (columns - camera.middle) * z / camera.focal
    colors = _colors(scene)
    kind = _markings(scene, x, z, _paving(scene, x, z))
    dark = -scene.sunny * x > dice.between(-0.4, 1.3) * scene.half
    grain = scene.grain[ground.rows]
    shade = (0.78 + 0.44 * grain) * np.where(dark, np.float32(1 - scene.light.shadow), 1)
    color = scene.light.surface(colors, kind, shade, z)
    if dice.chance(0.3):
        _add_puddles(scene, ground, color)
    scene.canvas.paint(ground, color, ROAD)


def _colors(scene: Scene) -> list[Color]:
    dice = scene.dice
    tar, stone = dice.between(0.26, 0.46), dice.between(0.46, 0.66)
    paving, joint = (stone + 0.04, stone, stone - 0.05), (stone - 0.1, stone - 0.12, stone - 0.15)
    paint, kerb, verge = (0.85, 0.85, 0.80), (0.66, 0.66, 0.65), (0.30, 0.42, 0.18)
    return [(tar, tar, tar), paving, paint, kerb, dice.pick(LANES), joint, verge]


def _paving(scene: Scene, x: Raster, z: Raster) -> Kinds:
    """The ground without its paint."""
    dice, aside, half = scene.dice, np.abs(x), scene.half
    kind: Kinds = np.where(aside > half, PAVING, ASPHALT)
    kind[(aside > half) & ((z % 1.2 < 0.1) | (aside % 1.2 < 0.07)) & (z < 14)] = JOINT
    if dice.chance(0.3):
        kind[aside > scene.wall - dice.between(0.5, 2)] = VERGE
    if dice.chance(0.3):
        lane = dice.pick((-1, 1)) * x
        kind[(lane > half - 1.6) & (lane < half)] = LANE
    return kind


def _markings(scene: Scene, x: Raster, z: Raster, kind: Kinds) -> Kinds:
    """The ground with lines, perhaps a zebra crossing, and kerbs."""
    dice, aside, half = scene.dice, np.abs(x), scene.half
    kind[(aside < 0.09) & (z % 6 < dice.pick((3, 6)))] = PAINT
    if dice.chance(0.5):
        kind[np.abs(aside - half + 0.5) < 0.07] = PAINT
    if dice.chance(0.4):
        start = dice.between(5, 14)
        kind[(z > start) & (z < start + 3) & (aside < half - 0.3) & (x % 1 < 0.5)] = PAINT
    kind[np.abs(aside - half) < 0.14] = KERB
    return kind


def _add_puddles(scene: Scene, ground: Stroke, color: Picture) -> None:
    """Lay water, with the sky in it, over the ground's colours."""
    height, width = ground.cover.shape
    wet = np.clip(8 * scene.dice.noise((height, width), width / 9) - 5.6, 0, 0.7)[..., None]
    color += wet * (np.array(scene.light.top, np.float32) - color)


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
