"""Place and paint cars and pedestrians."""

from collections.abc import Iterator, Sequence
from functools import partial

from fullconv.data.synthetic.canvas import Point
from fullconv.data.synthetic.materials import (
    BARK,
    BLACK,
    CAR,
    GLASS,
    METALS,
    PAINTS,
    PERSON,
    SKINS,
    WHITE,
    Color,
)
from fullconv.data.synthetic.scene import Corner, Scene, SceneObject


def place_cars(scene: Scene) -> list[SceneObject]:
    """Return cars in the lanes, parked ones, and sometimes one crossing; at least one in all."""
    random, half = scene.random, scene.half
    cars: list[SceneObject] = []
    parking = half > 4.7
    for side in (-1, 1):
        for x, share in ((0.3 if parking else 0.5, 0.4), (1 - 1.1 / half, 0.5 * parking)):
            for z in random.along(6, 30, 8):
                if random.chance(share):
                    cars.append((z, partial(_paint_car, scene, side * x * half, z, side > 0)))
    if len(cars) < 2 or random.chance(0.2):
        z = random.between(8, 18)
        cars.append((z, partial(_paint_crossing_car, scene, random.between(-3, 3), z)))
    return cars


def _paint_car(scene: Scene, x: float, z: float, away: bool) -> None:
    """Paint a car or van along the street, from behind (`away`) or from the front."""
    camera, random, paint = scene.camera, scene.random, partial(scene.paint, z=z, label=CAR)
    wide, long, color = random.between(0.82, 0.95), random.between(3.6, 4.6), random.pick(PAINTS)
    seen = -1 if x > 0 else 1  # the visible flank
    _paint_underside(scene, x, z, wide, long)
    roof, van = random.between(1.4, 1.6), random.chance(0.2)
    for tone, gain, corners in panels(wide, long, away, roof, van):
        face = [(x + seen * across, up, z + back) for across, up, back in corners]
        paint(camera.face(*face), tone or color, gain=gain)
    lamp = (0.85, 0.08, 0.08) if away else WHITE
    for lamp_x in (x - wide + 0.2, x + wide - 0.2):
        paint(camera.disc(lamp_x, 0.72, z, 0.1, 0.17), lamp, gain=1 + scene.light.lamps)
    paint(camera.upright(x - 0.26, x + 0.26, 0.44, 0.56, z), WHITE)


def _paint_underside(scene: Scene, x: float, z: float, wide: float, long: float) -> None:
    """Paint the shadow of a car, and its near tyres."""
    ground = (-wide - 0.2, -0.2), (wide + 0.2, -0.2), (wide + 0.2, long), (-wide - 0.2, long)
    scene.shadow(scene.camera.face(*[(x + across, 0, z + back) for across, back in ground]))
    for tyre in (x - wide + 0.15, x + wide - 0.15):
        scene.paint(scene.camera.upright(tyre - 0.13, tyre + 0.13, 0, 0.5, z), BLACK, z, CAR)


def _paint_crossing_car(scene: Scene, x: float, z: float) -> None:
    """Paint a car from the side."""
    camera, paint = scene.camera, partial(scene.paint, z=z, label=CAR)
    color, ahead = scene.random.pick(PAINTS), scene.random.pick((-1, 1))
    scene.shadow(camera.disc(x, 0.03, z, 0.2, 2.3))
    for tone, gain, outline in PROFILE:
        face = [(x + ahead * along, up, z) for along, up in outline]
        paint(camera.face(*face), tone or color, gain=gain)
    for wheel in (x - 1.3, x + 1.3):
        paint(camera.disc(wheel, 0.33, z, 0.35, 0.35), BLACK)
        paint(camera.disc(wheel, 0.33, z, 0.18, 0.18), METALS[1])
    paint(camera.disc(x + ahead * 1.98, 0.7, z, 0.09, 0.1), WHITE, gain=1 + scene.light.lamps)


HAIRS: tuple[Color, ...] = (BARK, BLACK, (0.75, 0.6, 0.35), (0.6, 0.6, 0.6))


def place_people(scene: Scene) -> Iterator[SceneObject]:
    """Yield two to five people between the houses, within the image."""
    random, camera = scene.random, scene.camera
    for _ in range(2 + int(random.between(0, 4))):
        z = random.between(5, 12)
        reach = min(0.42 * camera.size[1] / camera.focal * z, scene.wall - 0.4)
        yield z, partial(_paint_person, scene, random.between(-reach, reach), z)


def _paint_person(scene: Scene, x: float, z: float) -> None:
    camera, random = scene.camera, scene.random
    tall = random.between(1.6, 1.95) if random.chance(0.85) else random.between(1.0, 1.3)
    scene.shadow(camera.disc(x, 0, z, 0.1, 0.5))
    paint = partial(scene.paint, z=z, label=PERSON)
    coat, trousers = random.pick(PAINTS), random.pick((*PAINTS, *METALS))
    _paint_limbs(scene, x, z, tall, coat, trousers)
    wide, waist = 0.12 * tall, (0.1 * tall, 0.5 * tall - 0.06)
    left, right = (x - waist[0], waist[1], z), (x + waist[0], waist[1], z)
    shoulders = (x - wide, 0.8 * tall, z), (x + wide, 0.8 * tall, z)
    paint(camera.face(*shoulders, right, left), coat)
    paint(camera.disc(x, 0.92 * tall, z, 0.085 * tall, 0.07 * tall), random.pick(HAIRS))
    paint(camera.disc(x, 0.9 * tall, z, 0.06 * tall, 0.055 * tall), random.pick(SKINS))


def _paint_limbs(
    scene: Scene, x: float, z: float, tall: float, coat: Color, trousers: Color
) -> None:
    """Paint legs and arms in mid-stride."""
    camera, paint = scene.camera, partial(scene.paint, z=z, label=PERSON)
    stride, hip, shoulder = scene.random.between(0.03, 0.2) * tall, 0.5 * tall, 0.8 * tall
    for step in (-1, 1):
        paint(camera.bar((x, hip), (x + step * stride, 0), z, 0.11 * tall), trousers)
        arm, hand = x + 0.13 * tall * step, x + 0.13 * tall * step - step * stride
        paint(camera.bar((arm, shoulder), (hand, hip - 0.03), z, 0.07 * tall), coat, gain=0.85)


Panel = tuple[Color | None, float, Sequence[Corner]]

WHEEL = ((0.35, -0.15), (0.35, 0.15), (0.1, 0.36), (-0.33, 0.2), (-0.33, -0.2), (0.1, -0.36))
PROFILE: tuple[tuple[Color | None, float, tuple[Point, ...]], ...] = (
    (None, 1.05, ((-1.5, 0.85), (-1.0, 1.42), (0.4, 1.42), (1.2, 0.85))),
    (GLASS, 1.0, ((-1.3, 0.9), (-0.9, 1.32), (-0.3, 1.32), (-0.3, 0.9))),
    (GLASS, 1.0, ((-0.2, 0.9), (-0.2, 1.32), (0.35, 1.32), (0.95, 0.9))),
    (None, 0.9, ((-2.1, 0.3), (-2.1, 0.8), (-1.8, 0.95), (1.2, 0.92), (2.05, 0.75), (2.1, 0.3))),
)
"""A car from the side: colour (None for its own), gain, outline in metres (ahead, up)."""


def panels(wide: float, long: float, away: bool, roof: float, van: bool) -> list[Panel]:
    """Return the panels of a car from bottom to top: (colour or None, gain, corners).

    Args:
        wide: half of its width, in metres.
        long: its length, in metres.
        away: whether it is seen from behind.
        roof: height of the roof of a car, in metres.
        van: whether it is a van, which is higher.

    Returns:
        Corners are (towards the visible side, up, back), in metres from its near end.
    """
    belt, low, high = 0.95, wide - 0.06, wide - 0.2
    near, far = (0.1, long - 0.1) if van else (0.5, long - 1.2) if away else (1.2, long - 0.5)
    roof = roof + 0.7 * van
    flank = (wide, 0.3, 0), (wide, belt, 0), (wide, belt, long), (wide, 0.3, long)
    wheels = [[(wide, 0.33 + up, end + b) for up, b in WHEEL] for end in (0.8, long - 0.8)]
    panes = (low, belt, near), (high, roof, near + 0.5), (high, roof, far - 0.4), (low, belt, far)
    return [
        (None, 0.75, flank),
        *[(BLACK, 1.0, wheel) for wheel in wheels],
        (None, 1.15, _across((wide, belt, 0), (wide, belt, long))),
        (None, 1.0, _across((wide, 0.3, 0), (wide, belt, 0))),
        (GLASS, 0.9, panes),
        (None, 1.15, _across((high, roof, near + 0.5), (high, roof, far - 0.4))),
        (None, 0.95, _across((low, belt, near), (high, roof, near + 0.5))),
        (GLASS, 1.2, _across((low - 0.1, belt, near), (high - 0.06, roof - 0.09, near + 0.45))),
    ]


def _across(a: Corner, b: Corner) -> tuple[Corner, ...]:
    """Return the panel across the car whose edge on this flank is from `a` to `b`."""
    return a, b, (-b[0], b[1], b[2]), (-a[0], a[1], a[2])
