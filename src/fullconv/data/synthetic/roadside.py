"""Place and paint poles (street lamps, traffic lights, signs) and trees."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from fullconv.data.synthetic.canvas import cloud, glow, pixel_centers
from fullconv.data.synthetic.materials import BARK, BLACK, GLOW, LEAVES, METALS, POLE, TREE, Color
from fullconv.data.synthetic.scene import Scene, SceneObject

SIGNALS: tuple[Color, ...] = (  # from bottom to top
    (0.20, 0.90, 0.40),
    (1.00, 0.75, 0.10),
    (1.00, 0.15, 0.10),
)
SIGNS: tuple[tuple[Color, Color], ...] = (  # ring and plate
    ((0.80, 0.10, 0.10), (0.95, 0.95, 0.95)),
    ((0.90, 0.90, 0.90), (0.10, 0.30, 0.70)),
    ((0.95, 0.95, 0.90), (0.95, 0.75, 0.10)),
)


def place_poles(scene: Scene, side: int, spacing: float) -> Iterator[SceneObject]:
    """Yield a row of poles along a kerb, -1 (left) or 1 (right); `spacing` in metres."""
    for z in scene.random.along(4.5, 26, spacing):
        yield z, partial(_paint_pole, scene, side * (scene.half + 0.5), z)


def _paint_pole(scene: Scene, x: float, z: float) -> None:
    random = scene.random
    kind, metal = random.pick("llts"), random.pick(METALS)  # half of the poles are lamps
    top = random.between(4.5, 7.5) if kind == "l" else random.between(2.6, 3.6)
    mast = scene.camera.bar((x, 0), (x, top), z, random.between(0.24, 0.38))
    scene.paint(mast, metal, z, POLE)
    if kind == "l":
        _paint_lamp(scene, x, top, z, metal)
    elif kind == "t":
        _paint_signal(scene, x, top, z)
    else:
        for radius, color in zip((0.5, 0.36), random.pick(SIGNS), strict=True):
            scene.paint(scene.camera.disc(x, top, z, radius, radius), color, z, POLE)


def _paint_lamp(scene: Scene, x: float, top: float, z: float, metal: Color) -> None:
    """Paint a lamp on an arm, with a halo if it is on."""
    camera, on = scene.camera, scene.light.lamps > 0.3
    end = x * scene.random.between(0.7, 0.9)
    scene.paint(camera.bar((x, top), (end, top + 0.2), z, 0.2), metal, z, POLE)
    lamp = camera.disc(end, top + 0.1, z, 0.2, 0.55)
    scene.paint(lamp, GLOW if on else metal, z, POLE, gain=1 + on)
    if on:
        size = 1.6 * camera.focal / z
        halo = glow(camera.size, camera.at(end, top, z), (size, size))
        scene.canvas.tint(halo, GLOW, 0.6)


def _paint_signal(scene: Scene, x: float, top: float, z: float) -> None:
    """Paint a traffic light with one lamp on."""
    camera, lit = scene.camera, scene.random.pick((0, 1, 2))
    scene.paint(camera.upright(x - 0.28, x + 0.28, top - 1.2, top, z), BLACK, z, POLE)
    lamp = camera.disc(x, top - 0.98 + 0.38 * lit, z, 0.17, 0.17)
    scene.paint(lamp, SIGNALS[lit], z, POLE, gain=1.3)


def place_trees(scene: Scene, side: int, leafy: float, spacing: float) -> Iterator[SceneObject]:
    """Yield a row of trees along a kerb.

    Args:
        scene: the scene.
        side: side of the street, -1 (left) or 1 (right).
        leafy: share of the positions that have a tree, in [0, 1].
        spacing: mean distance of the positions, in metres.
    """
    for z in scene.random.along(5, 45, spacing):
        if scene.random.chance(leafy):
            yield z, partial(paint_tree, scene, side * (scene.half + 0.5 + 0.4), z)


def paint_tree(scene: Scene, x: float, z: float) -> None:
    """Paint a tree and its shadow; `x` and `z` in metres."""
    camera, random = scene.camera, scene.random
    scene.shadow(camera.disc(x, 0, z, 0.25, 1.3))
    tall = random.between(3.5, 8)
    trunk = camera.bar((x, 0), (x, tall * 0.7), z, random.between(0.2, 0.5))
    scene.paint(trunk, BARK, z, TREE)
    _paint_crown(scene, x, tall * 0.72, z, tall * random.between(0.2, 0.3))


def _paint_crown(scene: Scene, x: float, y: float, z: float, spread: float) -> None:
    camera, random, scale = scene.camera, scene.random, scene.camera.focal / z
    row, column = camera.at(x, y, z)
    discs = [(row, column, spread * scale)]
    for _ in range(7):
        across, up = random.between(-1, 1) * spread, random.between(-0.7, 1) * spread
        size = spread * random.between(0.35, 0.65)
        discs.append((row - up * scale, column + across * scale, size * scale))
    crown = cloud(camera.size, discs)
    rows, columns = pixel_centers(crown)
    slope = (scene.sunny * (column - columns) + (row - rows)) / (4 * spread * scale)
    gain = np.clip(0.9 + slope, 0.5, 1.4) * (0.45 + 1.1 * scene.grain[crown.rows, crown.columns])
    leaves = np.array(scene.light.lit(random.pick(LEAVES), z), np.float32)
    scene.canvas.paint(crown, leaves * gain[..., None], TREE)
