"""Trees: a trunk, and a crown of discs that is brighter towards the sun."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from fullconv.brushes import centres, cloud
from fullconv.street.materials import BARK, LEAVES, TREE
from fullconv.street.scene import Scene, Thing


def place_trees(scene: Scene, side: int, leafy: float, spacing: float) -> Iterator[Thing]:
    """A row along one kerb, -1 (left) or 1.

    Args:
        scene: where.
        side: of the street.
        leafy: the share of its places that have a tree.
        spacing: from one place to the next, in metres, about.
    """
    for z in scene.dice.along(5, 45, spacing):
        if scene.dice.chance(leafy):
            yield z, partial(paint_tree, scene, side * (scene.half + 0.5 + 0.4), z)


def paint_tree(scene: Scene, x: float, z: float) -> None:
    """Paint a tree and its shadow; `x` and `z` in metres."""
    camera, dice = scene.camera, scene.dice
    scene.shadow(camera.disc(x, 0, z, 0.25, 1.3))
    tall = dice.between(3.5, 8)
    trunk = camera.bar((x, 0), (x, tall * 0.7), z, dice.between(0.2, 0.5))
    scene.paint(trunk, BARK, z, TREE)
    _paint_crown(scene, x, tall * 0.72, z, tall * dice.between(0.2, 0.3))


def _paint_crown(scene: Scene, x: float, y: float, z: float, spread: float) -> None:
    camera, dice, scale = scene.camera, scene.dice, scene.camera.focal / z
    row, column = camera.at(x, y, z)
    discs = [(row, column, spread * scale)]
    for _ in range(7):
        across, up = dice.between(-1, 1) * spread, dice.between(-0.7, 1) * spread
        size = spread * dice.between(0.35, 0.65)
        discs.append((row - up * scale, column + across * scale, size * scale))
    crown = cloud(camera.size, discs)
    rows, columns = centres(crown)
    slope = (scene.sunny * (column - columns) + (row - rows)) / (4 * spread * scale)
    gain = np.clip(0.9 + slope, 0.5, 1.4) * (0.45 + 1.1 * scene.grain[crown.rows, crown.columns])
    leaves = np.array(scene.light.lit(dice.pick(LEAVES), z), np.float32)
    scene.canvas.paint(crown, leaves * gain[..., None], TREE)
