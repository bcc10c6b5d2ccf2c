"""Buildings: a row of houses on each side, and often something across the end of the street."""

from functools import partial

from fullconv.street.facades import paint_facade
from fullconv.street.materials import BUILDING, LEAVES, TREE, Color
from fullconv.street.scene import Scene, Thing
from fullconv.street.trees import paint_tree

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
