"""Paint ground and sky."""

import numpy as np
from jaxtyping import Float32

from fullconv.data.synthetic.canvas import Size, Stroke, band, pixel_centers
from fullconv.data.synthetic.materials import ROAD, SKY, Color
from fullconv.data.synthetic.scene import Kinds, Picture, Raster, Scene

# Materials of the ground: indices into the colours of `_colors`.
ASPHALT, PAVING, PAINT, KERB, LANE, JOINT, VERGE = range(7)
LANES: tuple[Color, ...] = ((0.52, 0.26, 0.22), (0.26, 0.42, 0.28), (0.24, 0.32, 0.48))


def paint_ground(scene: Scene) -> None:
    """Paint everything below the horizon, with the class road."""
    camera, random = scene.camera, scene.random
    ground = band(camera.size, int(camera.horizon) + 1, camera.size[0])
    rows, columns = pixel_centers(ground)
    z = camera.focal * camera.eye / (rows - camera.horizon)
    x = (columns - camera.middle) * z / camera.focal
    colors = _colors(scene)
    kind = _markings(scene, x, z, _paving(scene, x, z))
    dark = -scene.sunny * x > random.between(-0.4, 1.3) * scene.half
    grain = scene.grain[ground.rows]
    shade = (0.78 + 0.44 * grain) * np.where(dark, np.float32(1 - scene.light.shadow), 1)
    color = scene.light.surface(colors, kind, shade, z)
    if random.chance(0.3):
        _add_puddles(scene, ground, color)
    scene.canvas.paint(ground, color, ROAD)


def _colors(scene: Scene) -> list[Color]:
    random = scene.random
    tar, stone = random.between(0.26, 0.46), random.between(0.46, 0.66)
    paving, joint = (stone + 0.04, stone, stone - 0.05), (stone - 0.1, stone - 0.12, stone - 0.15)
    paint, kerb, verge = (0.85, 0.85, 0.80), (0.66, 0.66, 0.65), (0.30, 0.42, 0.18)
    return [(tar, tar, tar), paving, paint, kerb, random.pick(LANES), joint, verge]


def _paving(scene: Scene, x: Raster, z: Raster) -> Kinds:
    """Return the material of each pixel, without road markings."""
    random, aside, half = scene.random, np.abs(x), scene.half
    kind: Kinds = np.where(aside > half, PAVING, ASPHALT)
    kind[(aside > half) & ((z % 1.2 < 0.1) | (aside % 1.2 < 0.07)) & (z < 14)] = JOINT
    if random.chance(0.3):
        kind[aside > scene.wall - random.between(0.5, 2)] = VERGE
    if random.chance(0.3):
        lane = random.pick((-1, 1)) * x
        kind[(lane > half - 1.6) & (lane < half)] = LANE
    return kind


def _markings(scene: Scene, x: Raster, z: Raster, kind: Kinds) -> Kinds:
    """Add lines, possibly a zebra crossing, and kerbs."""
    random, aside, half = scene.random, np.abs(x), scene.half
    kind[(aside < 0.09) & (z % 6 < random.pick((3, 6)))] = PAINT
    if random.chance(0.5):
        kind[np.abs(aside - half + 0.5) < 0.07] = PAINT
    if random.chance(0.4):
        start = random.between(5, 14)
        kind[(z > start) & (z < start + 3) & (aside < half - 0.3) & (x % 1 < 0.5)] = PAINT
    kind[np.abs(aside - half) < 0.14] = KERB
    return kind


def _add_puddles(scene: Scene, ground: Stroke, color: Picture) -> None:
    """Add puddles that reflect the sky."""
    height, width = ground.cover.shape
    wet = np.clip(8 * scene.random.noise((height, width), width / 9) - 5.6, 0, 0.7)[..., None]
    color += wet * (np.array(scene.light.top, np.float32) - color)


Veil = Float32[np.ndarray, "h w 1"]


def paint_sky(scene: Scene) -> None:
    """Paint everything above the horizon."""
    camera = scene.camera
    sky = band(camera.size, 0, int(camera.horizon) + 1)
    rows, columns = pixel_centers(sky)
    down = np.minimum(rows / camera.horizon, 1)
    color = _gradient(scene, rows, columns, down)
    veil = _clouds(scene, (sky.cover.shape[0], camera.size[1])) * (1 - 0.6 * down)[..., None]
    white = np.array(scene.light.low, np.float32) * np.float32(scene.random.between(0.8, 1.1))
    scene.canvas.paint(sky, color + veil * (white - color), SKY)


def _gradient(scene: Scene, rows: Raster, columns: Raster, down: Raster) -> Picture:
    """Return the colour gradient of the sky, brighter around the sun."""
    light, (height, width) = scene.light, scene.camera.size
    top, low = np.array(light.top, np.float32), np.array(light.low, np.float32)
    column = columns - scene.random.between(0, width)
    row = rows - scene.random.between(-0.3, 0.4) * height
    far = (column * column + row * row) / (0.09 * width * width)
    air: Picture
    air = top + down[..., None] * (low - top) + (0.35 * light.shadow / (1 + 4 * far))[..., None]
    return air


def _clouds(scene: Scene, size: Size) -> Veil:
    """Return the opacity of the clouds, in [0, 0.7]."""
    random, width = scene.random, size[1]
    shape = random.noise(size, width / 5) + random.noise(size, width / 14)
    veil: Veil
    veil = np.clip(shape * random.between(0.8, 2.2) - random.between(0.8, 1.6), 0, 0.7)[..., None]
    return veil
