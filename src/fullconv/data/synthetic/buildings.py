"""Place and paint houses along the street, and what is at its end."""

from functools import partial

import numpy as np
from jaxtyping import Bool

from fullconv.data.synthetic.canvas import Stroke, pixel_centers
from fullconv.data.synthetic.materials import (
    BUILDING,
    GLASS,
    GLOW,
    LEAVES,
    METALS,
    PAINTS,
    SKINS,
    TREE,
    Color,
)
from fullconv.data.synthetic.roadside import paint_tree
from fullconv.data.synthetic.scene import DAY, Kinds, Raster, Scene, SceneObject

BACKGROUND = 1000  # added to the distance of objects behind everything in the street
TILES: tuple[Color, ...] = ((0.50, 0.24, 0.18), (0.28, 0.28, 0.32), (0.42, 0.34, 0.28))


def place_buildings(scene: Scene) -> list[SceneObject]:
    """Return houses, trees in the gaps between them, and the end of the street."""
    objects = [*_row(scene, -1), *_row(scene, 1)]
    if scene.random.chance(0.6):
        objects.append((100 + BACKGROUND, partial(_paint_backdrop, scene)))
    return objects


def _row(scene: Scene, side: int) -> list[SceneObject]:
    random = scene.random
    row: list[SceneObject] = []
    z, tall, neighbour = random.between(1.5, 6), random.between(5, 13), 0.0
    while z < 80:
        far, top = z + random.between(6, 14) * (1 + z / 40), tall * random.between(0.7, 1.4)
        if random.chance(0.12):
            top = 0
            thing = partial(paint_tree, scene, side * (scene.wall + 2), z + 3)
        else:
            thing = partial(_paint_house, scene, side, z, far, top, top > neighbour)
        row.append((z + BACKGROUND, thing))
        z, neighbour = far, top
    return row


def _paint_house(scene: Scene, side: int, near: float, far: float, top: float, gable: bool) -> None:
    """Paint the roof, the gable if the neighbouring house is lower, and the front."""
    camera, x, back = scene.camera, side * scene.wall, side * (scene.wall + 9)
    if top < 9:
        _paint_roof(scene, x, back, near, far, top)
    if gable:
        paint_facade(scene, camera.upright(x, back, 0, top, near), near, top, 0)
    front = camera.face((x, 0, near), (x, top, near), (x, top, far), (x, 0, far))
    paint_facade(scene, front, near, top, side)


def _paint_roof(scene: Scene, x: float, back: float, near: float, far: float, top: float) -> None:
    camera, random = scene.camera, scene.random
    ridge, tiles = ((x + back) / 2, top + random.between(2, 4.5)), random.pick(TILES)
    slope = (x, top, near), (x, top, far), (*ridge, far), (*ridge, near)
    scene.paint(camera.face(*slope), tiles, near, BUILDING, 0.9)
    end = camera.face((x, top, near), (*ridge, near), (back, top, near))
    scene.paint(end, tiles, near, BUILDING, 0.7)


def _paint_backdrop(scene: Scene) -> None:
    """Paint trees or houses at the end of the street."""
    camera, random = scene.camera, scene.random
    x, green, z = -30.0, random.chance(0.5), random.between(60, 100)
    while x < 30:
        wide, top = random.between(8, 20), random.between(6, 14)
        if green:
            leaves = random.pick(LEAVES)
            scene.paint(camera.disc(x, 3, z, 0.5 * top, wide), leaves, z, TREE, 0.8)
        else:
            paint_facade(scene, camera.upright(x, x + wide, 0, top, z), z, top, 0)
        x += wide


# Materials of a wall: indices into the colours of `_colors`.
WALL, TRIM, WINDOW, LIT, AWNING, DOOR, POSTER, FIGURE = range(8)
Marks = Bool[np.ndarray, "#h #w"]
WALLS: tuple[Color, ...] = (
    (0.80, 0.72, 0.58), (0.72, 0.42, 0.34), (0.86, 0.82, 0.76), (0.58, 0.60, 0.64),
    (0.84, 0.64, 0.44), (0.52, 0.66, 0.76), (0.58, 0.68, 0.50), (0.78, 0.56, 0.56),
    (0.44, 0.42, 0.44), (0.90, 0.80, 0.56),
)  # fmt: skip


def paint_facade(scene: Scene, stroke: Stroke, near: float, top: float, side: int) -> None:
    """Paint a wall along a side of the street, or facing the camera.

    Args:
        scene: the scene.
        stroke: the visible shape of the wall.
        near: distance of the near end, in metres.
        top: height, in metres.
        side: -1 (left), 1 (right), or 0 for a wall that faces the camera.
    """
    if not stroke.cover.size:
        return
    if near > 45:  # windows are too small to see
        scene.paint(stroke, scene.random.pick(WALLS), near, BUILDING, 0.75)
        return
    camera, (rows, columns) = scene.camera, pixel_centers(stroke)
    run = columns - camera.middle
    if side:
        z = u = camera.focal * scene.wall / np.maximum(side * run, 1)
    else:
        z, u = np.full((1, 1), near, np.float32), run * (near / camera.focal)
    kind = _materials(scene, u, camera.eye - (rows - camera.horizon) * z / camera.focal, top)
    colors = _colors(scene)
    sun = {0: 0.88, scene.sunny: 1.05}.get(side, 1 - 0.8 * scene.light.shadow)
    shade = np.float32(sun) * (0.85 + 0.3 * scene.grain[stroke.rows, stroke.columns])
    scene.canvas.paint(stroke, scene.light.surface(colors, kind, shade, z), BUILDING)


def _colors(scene: Scene) -> list[Color]:
    random = scene.random
    wall, lit = random.pick(WALLS), scene.light.lit(GLOW, 0, 1.6)
    trim = (wall[0] * 1.15, wall[1] * 1.15, wall[2] * 1.15)
    poster = random.pick((DAY.top, *LEAVES, *PAINTS))
    awning, door, figure = random.pick(PAINTS), random.pick(METALS), random.pick((*SKINS, *PAINTS))
    return [wall, trim, GLASS, lit, awning, door, poster, figure]


def _materials(scene: Scene, u: Raster, v: Raster, top: float) -> Kinds:
    """Return the material of a wall at `u` metres along it and `v` metres up."""
    random = scene.random
    pitch, storey = random.between(1.8, 3.2), random.between(2.7, 3.4)
    du = np.abs(
        u / pitch - np.floor(u / pitch) - 0.5
    )  # distance from the center of a window, in pitches
    kind = _windows(scene, u / pitch, v / storey, du, v > top - 0.6)
    kind = np.where((v > top - 0.4) | (np.abs(v - storey) < 0.12), TRIM, kind)
    if random.chance(0.4):  # a shop
        glass = LIT if random.chance(scene.light.lamps) else WINDOW
        pane = np.where((v > 0.5) & (du < 0.42), glass, WALL)
        kind = np.where(v < storey - 0.2, np.where(v < storey - 0.9, pane, AWNING), kind)
    else:
        kind = np.where((v < 2.2) & (np.abs(u / pitch % 4 - 1.5) < 0.22), DOOR, kind)
    if random.chance(0.5):  # a pipe
        kind = np.where(np.abs(u % 9 - 1) < 0.1, DOOR, kind)
    return _posters(scene, u, v, kind) if random.chance(0.45) else kind


def _windows(scene: Scene, u: Raster, v: Raster, du: Raster, eaves: Marks) -> Kinds:
    """Return rows of windows, except under the eaves; `u` in pitches, `v` in storeys."""
    random, i, j = scene.random, np.floor(u), np.floor(v)
    dv = np.abs(v - j - 0.55) + eaves
    wide, high = random.between(0.2, 0.4), random.between(0.22, 0.36)
    lamps = random.rng.random(64) < scene.light.lamps
    pane = np.where(lamps[(i * 5 + j * 7).astype(np.intp) % 64], LIT, WINDOW)
    frame = np.where((du < wide + 0.05) & (dv < high + 0.05), TRIM, WALL)
    return np.where((du < wide) & (dv < high), pane, frame)


def _posters(scene: Scene, u: Raster, v: Raster, kind: Kinds) -> Kinds:
    along, up = u % 14 - scene.random.between(2, 12), v - scene.random.between(1.8, 5)
    kind = np.where((np.abs(along) < 1) & (np.abs(up) < 1.2), POSTER, kind)
    return np.where(along * along + up * up < 0.5, FIGURE, kind)
