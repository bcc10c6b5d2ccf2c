"""Cars: in the lanes, parked at the kerb of a wide street, and now and then one across."""

from functools import partial

from fullconv.street.bodies import PROFILE, panels
from fullconv.street.materials import BLACK, CAR, METALS, PAINTS, WHITE
from fullconv.street.scene import Scene, Thing


def place_cars(scene: Scene) -> list[Thing]:
    """All cars of a scene; there is one at least."""
    dice, half = scene.dice, scene.half
    things: list[Thing] = []
    parking = half > 4.7
    for side in (-1, 1):
        for x, share in ((0.3 if parking else 0.5, 0.4), (1 - 1.1 / half, 0.5 * parking)):
            for z in dice.along(6, 30, 8):
                if dice.chance(share):
                    things.append((z, partial(_paint_car, scene, side * x * half, z, side > 0)))
    if len(things) < 2 or dice.chance(0.2):
        z = dice.between(8, 18)
        things.append((z, partial(_paint_crossing_car, scene, dice.between(-3, 3), z)))
    return things


def _paint_car(scene: Scene, x: float, z: float, away: bool) -> None:
    """Paint a car or van along the street, seen from behind (`away`) or from the front."""
    camera, dice, paint = scene.camera, scene.dice, partial(scene.paint, z=z, label=CAR)
    wide, long, color = dice.between(0.82, 0.95), dice.between(3.6, 4.6), dice.pick(PAINTS)
    seen = -1 if x > 0 else 1  # the flank that the camera sees
    _paint_foot(scene, x, z, wide, long)
    roof, van = dice.between(1.4, 1.6), dice.chance(0.2)
    for tone, gain, corners in panels(wide, long, away, roof, van):
        face = [(x + seen * across, up, z + back) for across, up, back in corners]
        paint(camera.face(*face), tone or color, gain=gain)
    lamp = (0.85, 0.08, 0.08) if away else WHITE
    for place in (x - wide + 0.2, x + wide - 0.2):
        paint(camera.disc(place, 0.72, z, 0.1, 0.17), lamp, gain=1 + scene.light.lamps)
    paint(camera.upright(x - 0.26, x + 0.26, 0.44, 0.56, z), WHITE)


def _paint_foot(scene: Scene, x: float, z: float, wide: float, long: float) -> None:
    """Paint the shadow below a car, and the tyres of its near end."""
    ground = (-wide - 0.2, -0.2), (wide + 0.2, -0.2), (wide + 0.2, long), (-wide - 0.2, long)
    scene.shadow(scene.camera.face(*[(x + across, 0, z + back) for across, back in ground]))
    for tyre in (x - wide + 0.15, x + wide - 0.15):
        scene.paint(scene.camera.upright(tyre - 0.13, tyre + 0.13, 0, 0.5, z), BLACK, z, CAR)


def _paint_crossing_car(scene: Scene, x: float, z: float) -> None:
    """Paint a car seen from its side."""
    camera, paint = scene.camera, partial(scene.paint, z=z, label=CAR)
    color, ahead = scene.dice.pick(PAINTS), scene.dice.pick((-1, 1))
    scene.shadow(camera.disc(x, 0.03, z, 0.2, 2.3))
    for tone, gain, outline in PROFILE:
        face = [(x + ahead * along, up, z) for along, up in outline]
        paint(camera.face(*face), tone or color, gain=gain)
    for wheel in (x - 1.3, x + 1.3):
        paint(camera.disc(wheel, 0.33, z, 0.35, 0.35), BLACK)
        paint(camera.disc(wheel, 0.33, z, 0.18, 0.18), METALS[1])
    paint(camera.disc(x + ahead * 1.98, 0.7, z, 0.09, 0.1), WHITE, gain=1 + scene.light.lamps)
