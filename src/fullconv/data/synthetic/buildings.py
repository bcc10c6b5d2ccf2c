"""Buildings: a row of houses on each side, and often something across the end of the street."""

from functools import partial

import numpy as np
from jaxtyping import Bool

from fullconv.data.synthetic.canvas import Stroke, centres
from fullconv.data.synthetic.roadside import paint_tree
from fullconv.data.synthetic.scene import (
    BUILDING,
    DAY,
    GLASS,
    GLOW,
    LEAVES,
    METALS,
    PAINTS,
    SKINS,
    TREE,
    Color,
    Kinds,
    Raster,
    Scene,
    Thing,
)

BEHIND = 1000  # added to the distance of what stands behind the whole street
TILES: tuple[Color, ...] = ((0.50, 0.24, 0.18), (0.28, 0.28, 0.32), (0.42, 0.34, 0.28))


def place_buildings(scene: Scene) -> list[Thing]:
    """Houses, the trees in the gaps between them, and the end of the street."""
    things = [*_row(scene, -1), *_row(scene, 1)]
    if scene.dice.chance(0.6):
        things.append((100 + BEHIND, partial(_paint_backdrop, scene)))
    return things


def _row(scene: Scene, side: int) -> list[Thing]:
    dice = scene.dice
    things: list[Thing] = []
    z, tall, neighbour = dice.between(1.5, 6), dice.between(5, 13), 0.0
    while z < 80:
        far, top = z + dice.between(6, 14) * (1 + z / 40), tall * dice.between(0.7, 1.4)
        if dice.chance(0.12):
            top = 0
            thing = partial(paint_tree, scene, side * (scene.wall + 2), z + 3)
        else:
            thing = partial(_paint_house, scene, side, z, far, top, top > neighbour)
        things.append((z + BEHIND, thing))
        z, neighbour = far, top
    return things


def _paint_house(scene: Scene, side: int, near: float, far: float, top: float, gable: bool) -> None:
    """Paint the roof, the end towards the camera if its neighbour is lower, and the front."""
    camera, x, back = scene.camera, side * scene.wall, side * (scene.wall + 9)
    if top < 9:
        _paint_roof(scene, x, back, near, far, top)
    if gable:
        paint_facade(scene, camera.upright(x, back, 0, top, near), near, top, 0)
    front = camera.face((x, 0, near), (x, top, near), (x, top, far), (x, 0, far))
    paint_facade(scene, front, near, top, side)


def _paint_roof(scene: Scene, x: float, back: float, near: float, far: float, top: float) -> None:
    camera, dice = scene.camera, scene.dice
    ridge, tiles = ((x + back) / 2, top + dice.between(2, 4.5)), dice.pick(TILES)
    slope = (x, top, near), (x, top, far), (*ridge, far), (*ridge, near)
    scene.paint(camera.face(*slope), tiles, near, BUILDING, 0.9)
    end = camera.face((x, top, near), (*ridge, near), (back, top, near))
    scene.paint(end, tiles, near, BUILDING, 0.7)


def _paint_backdrop(scene: Scene) -> None:
    """Paint trees or houses across the end of the street."""
    camera, dice = scene.camera, scene.dice
    x, green, z = -30.0, dice.chance(0.5), dice.between(60, 100)
    while x < 30:
        wide, top = dice.between(8, 20), dice.between(6, 14)
        if green:
            leaves = dice.pick(LEAVES)
            scene.paint(camera.disc(x, 3, z, 0.5 * top, wide), leaves, z, TREE, 0.8)
        else:
            paint_facade(scene, camera.upright(x, x + wide, 0, top, z), z, top, 0)
        x += wide


# What a wall shows; a number is a place in the colours of `_colors`.
WALL, TRIM, WINDOW, LIT, AWNING, DOOR, POSTER, FIGURE = range(8)
Marks = Bool[np.ndarray, "#h #w"]
WALLS: tuple[Color, ...] = (
    (0.80, 0.72, 0.58), (0.72, 0.42, 0.34), (0.86, 0.82, 0.76), (0.58, 0.60, 0.64),
    (0.84, 0.64, 0.44), (0.52, 0.66, 0.76), (0.58, 0.68, 0.50), (0.78, 0.56, 0.56),
    (0.44, 0.42, 0.44), (0.90, 0.80, 0.56),
)  # fmt: skip


def paint_facade(scene: Scene, stroke: Stroke, near: float, top: float, side: int) -> None:
    """Paint a wall along one side of the street, or across it.

    Args:
        scene: where.
        stroke: what the camera sees of it.
        near: distance of its near end, in metres.
        top: its height, in metres.
        side: -1 (left), 1 (right), or 0 for a wall that faces the camera.
    """
    if not stroke.cover.size:
        return
    if near > 45:  # too far to tell its windows
        scene.paint(stroke, scene.dice.pick(WALLS), near, BUILDING, 0.75)
        return
    camera, (rows, columns) = scene.camera, centres(stroke)
    run = columns - camera.middle
    if side:
        z = u = camera.focal * scene.wall / np.maximum(side * run, 1)
    else:
        z, u = np.full((1, 1), near, np.float32), run * (near / camera.focal)
    kind = _show(scene, u, camera.eye - (rows - camera.horizon) * z / camera.focal, top)
    colors = _colors(scene)
    sun = {0: 0.88, scene.sunny: 1.05}.get(side, 1 - 0.8 * scene.light.shadow)
    shade = np.float32(sun) * (0.85 + 0.3 * scene.grain[stroke.rows, stroke.columns])
    scene.canvas.paint(stroke, scene.light.surface(colors, kind, shade, z), BUILDING)


def _colors(scene: Scene) -> list[Color]:
    dice = scene.dice
    wall, lit = dice.pick(WALLS), scene.light.lit(GLOW, 0, 1.6)
    trim = (wall[0] * 1.15, wall[1] * 1.15, wall[2] * 1.15)
    poster = dice.pick((DAY.top, *LEAVES, *PAINTS))
    awning, door, figure = dice.pick(PAINTS), dice.pick(METALS), dice.pick((*SKINS, *PAINTS))
    return [wall, trim, GLASS, lit, awning, door, poster, figure]


def _show(scene: Scene, u: Raster, v: Raster, top: float) -> Kinds:
    """What a wall shows at `u` metres along it and `v` metres up."""
    dice = scene.dice
    pitch, storey = dice.between(1.8, 3.2), dice.between(2.7, 3.4)
    du = np.abs(u / pitch - np.floor(u / pitch) - 0.5)  # from the middle of a window, in pitches
    kind = _windows(scene, u / pitch, v / storey, du, v > top - 0.6)
    kind = np.where((v > top - 0.4) | (np.abs(v - storey) < 0.12), TRIM, kind)
    if dice.chance(0.4):  # a shop
        glass = LIT if dice.chance(scene.light.lamps) else WINDOW
        pane = np.where((v > 0.5) & (du < 0.42), glass, WALL)
        kind = np.where(v < storey - 0.2, np.where(v < storey - 0.9, pane, AWNING), kind)
    else:
        kind = np.where((v < 2.2) & (np.abs(u / pitch % 4 - 1.5) < 0.22), DOOR, kind)
    if dice.chance(0.5):  # a pipe
        kind = np.where(np.abs(u % 9 - 1) < 0.1, DOOR, kind)
    return _posters(scene, u, v, kind) if dice.chance(0.45) else kind


def _windows(scene: Scene, u: Raster, v: Raster, du: Raster, eaves: Marks) -> Kinds:
    """Windows in rows, none of them under the eaves; `u` in pitches and `v` in storeys."""
    dice, i, j = scene.dice, np.floor(u), np.floor(v)
    dv = np.abs(v - j - 0.55) + eaves
    wide, high = dice.between(0.2, 0.4), dice.between(0.22, 0.36)
    lamps = dice.rng.random(64) < scene.light.lamps
    pane = np.where(lamps[(i * 5 + j * 7).astype(np.intp) % 64], LIT, WINDOW)
    frame = np.where((du < wide + 0.05) & (dv < high + 0.05), TRIM, WALL)
    return np.where((du < wide) & (dv < high), pane, frame)


def _posters(scene: Scene, u: Raster, v: Raster, kind: Kinds) -> Kinds:
    along, up = u % 14 - scene.dice.between(2, 12), v - scene.dice.between(1.8, 5)
    kind = np.where((np.abs(along) < 1) & (np.abs(up) < 1.2), POSTER, kind)
    return np.where(along * along + up * up < 0.5, FIGURE, kind)
