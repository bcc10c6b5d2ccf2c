"""People who stand or walk: legs, arms, body, hair and face."""

from collections.abc import Iterator
from functools import partial

from fullconv.street.materials import BARK, BLACK, METALS, PAINTS, PERSON, SKINS, Color
from fullconv.street.scene import Scene, Thing

HAIRS: tuple[Color, ...] = (BARK, BLACK, (0.75, 0.6, 0.35), (0.6, 0.6, 0.6))


def place_people(scene: Scene) -> Iterator[Thing]:
    """Two to five persons, anywhere between the houses and within the picture."""
    dice, camera = scene.dice, scene.camera
    for _ in range(2 + int(dice.between(0, 4))):
        z = dice.between(5, 12)
        reach = min(0.42 * camera.size[1] / camera.focal * z, scene.wall - 0.4)
        yield z, partial(_paint_person, scene, dice.between(-reach, reach), z)


def _paint_person(scene: Scene, x: float, z: float) -> None:
    camera, dice = scene.camera, scene.dice
    tall = dice.between(1.6, 1.95) if dice.chance(0.85) else dice.between(1.0, 1.3)
    scene.shadow(camera.disc(x, 0, z, 0.1, 0.5))
    paint = partial(scene.paint, z=z, label=PERSON)
    coat, trousers = dice.pick(PAINTS), dice.pick((*PAINTS, *METALS))
    _paint_limbs(scene, x, z, tall, coat, trousers)
    wide, waist = 0.12 * tall, (0.1 * tall, 0.5 * tall - 0.06)
    left, right = (x - waist[0], waist[1], z), (x + waist[0], waist[1], z)
    shoulders = (x - wide, 0.8 * tall, z), (x + wide, 0.8 * tall, z)
    paint(camera.face(*shoulders, right, left), coat)
    paint(camera.disc(x, 0.92 * tall, z, 0.085 * tall, 0.07 * tall), dice.pick(HAIRS))
    paint(camera.disc(x, 0.9 * tall, z, 0.06 * tall, 0.055 * tall), dice.pick(SKINS))


def _paint_limbs(
    scene: Scene, x: float, z: float, tall: float, coat: Color, trousers: Color
) -> None:
    """Paint legs a stride apart, and arms that swing against them."""
    camera, paint = scene.camera, partial(scene.paint, z=z, label=PERSON)
    stride, hip, shoulder = scene.dice.between(0.03, 0.2) * tall, 0.5 * tall, 0.8 * tall
    for step in (-1, 1):
        paint(camera.bar((x, hip), (x + step * stride, 0), z, 0.11 * tall), trousers)
        arm, hand = x + 0.13 * tall * step, x + 0.13 * tall * step - step * stride
        paint(camera.bar((arm, shoulder), (hand, hip - 0.03), z, 0.07 * tall), coat, gain=0.85)
