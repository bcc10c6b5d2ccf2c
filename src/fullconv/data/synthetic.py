"""Draw synthetic street scenes with exact labels, for tests and examples without photos.

A scene is a pure function of (seed, index, height, width). Objects are placed in metres (x to the
right, y up, z away from the camera), projected by a pinhole camera and painted from far to near; a
pixel has the class that was painted last. Arrays are computed with + - * / and comparisons only,
which all processors round alike, so scenes are identical on every machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from fullconv.data.sample import Sample
from fullconv.io.palettes import Palette

CLASSES = ("sky", "building", "road", "tree", "car", "person", "pole")
SKY, BUILDING, ROAD, TREE, CAR, PERSON, POLE = range(7)
# The colours of Cityscapes.
PALETTE: Palette = (
    (70, 130, 180), (70, 70, 70), (128, 64, 128), (107, 142, 35), (0, 0, 142), (220, 20, 60),
    (153, 153, 153),
)  # fmt: skip

Color = tuple[float, float, float]
"""RGB in [0, 1]."""

PAINTS: tuple[Color, ...] = (
    (0.75, 0.15, 0.12), (0.15, 0.28, 0.62), (0.88, 0.88, 0.90), (0.16, 0.16, 0.18),
    (0.55, 0.57, 0.60), (0.90, 0.72, 0.15), (0.20, 0.42, 0.26), (0.80, 0.64, 0.50),
)  # fmt: skip
LEAVES: tuple[Color, ...] = ((0.20, 0.42, 0.14), (0.42, 0.48, 0.16), (0.74, 0.44, 0.12))
DARK: Color = (0.10, 0.11, 0.13)
SKIN: Color = (0.78, 0.56, 0.42)
# The zenith, the horizon (also haze), and the gain of surfaces: by day, when overcast, at dusk.
LIGHTS: tuple[tuple[Color, Color, float], ...] = (
    ((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), 1.0),
    ((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), 0.85),
    ((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), 0.7),
)
HAZE = 90.0  # metres at which haze is half of a colour

Thing = tuple[float, Callable[[], None]]
"""An object: its distance in metres, and the function that paints it."""


def draw(seed: int, index: int, height: int, width: int) -> Sample:
    """Draw scene `index` of the data set with this seed; equal arguments give equal bytes."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, index])))
    scene = _create_scene(rng, height, width)
    _paint_sky(scene)
    _paint_ground(scene)
    _paint_houses(scene)
    for _, paint in sorted(_things(scene), key=lambda thing: -thing[0]):
        paint()
    return Sample(_photograph(scene), scene.labels, scene_name(index))


def scene_name(index: int) -> str:
    """Return the sample name of scene `index`."""
    return f"scene-{index:05d}"


@dataclass(frozen=True)
class Scene:
    """What has been painted so far, the random numbers, the light and the camera.

    Attributes:
        image: RGB in [0, 1].
        labels: class of each pixel.
        rng: random numbers; an additional draw changes all later ones.
        light: see `LIGHTS`.
        down: rows below the horizon, of the pixels' centres.
        right: columns right of the vanishing point.
        focal: focal length in pixels.
        eye: height of the camera in metres.
        half: distance from the middle of the street to the kerb in metres.
        grain: fine noise in [0, 1], the texture of all surfaces.
    """

    image: Float[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]
    rng: np.random.Generator
    light: tuple[Color, Color, float]
    down: Float[np.ndarray, "H 1"]
    right: Float[np.ndarray, "1 W"]
    focal: float
    eye: float
    half: float
    grain: Float[np.ndarray, "H W"]

    def between(self, low: float, high: float) -> float:
        """Return a uniform random number."""
        return low + (high - low) * self.rng.random()

    def pick(self, options: tuple[Color, ...]) -> Color:
        """Return a random colour."""
        return options[int(self.rng.random() * len(options))]

    def fill(self, where: Bool[np.ndarray, "#H #W"], color: Any, z: Any, label: int) -> None:
        """Paint pixels in a colour, or an array of colours, at a distance of `z` metres."""
        where = np.broadcast_to(where, self.labels.shape)
        haze, gain = np.array(self.light[1], np.float32), np.float32(self.light[2])
        z = np.broadcast_to(np.array(z, np.float32), where.shape)[where][:, None]
        surface = np.broadcast_to(np.array(color, np.float32), self.image.shape)[where]
        air = z / (z + np.float32(HAZE))
        shade = gain * (0.7 + 0.6 * self.grain[where])[:, None]
        self.image[where] = surface * shade * (1 - air) + haze * air
        self.labels[where] = label

    def box(
        self, x: float, y: float, z: float, wide: float, high: float, color: Color, label: int
    ) -> None:
        """Paint a rectangle that faces the camera, centred at `x` above the height `y`."""
        scale = self.focal / z
        half = max(0.5 * wide * scale, self.labels.shape[0] / 90)  # a minimum, for thin poles
        up = self.eye * scale - self.down
        across = np.abs(self.right - x * scale) < half
        self.fill(across & (up > y * scale) & (up < (y + high) * scale), color, z, label)

    def disc(
        self, x: float, y: float, z: float, wide: float, high: float, color: Color, label: int
    ) -> None:
        """Paint an ellipse that faces the camera, with its centre and radii in metres."""
        scale = self.focal / z
        across = (self.right / scale - x) / wide
        up = (self.eye - self.down / scale - y) / high
        self.fill(across * across + up * up < 1, color, z, label)


def _create_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    grain = (_noise(rng, (height, width), 2) + _noise(rng, (height, width), 12)) / 2
    horizon, middle = height * (0.42 + 0.12 * rng.random()), width * (0.36 + 0.28 * rng.random())
    return Scene(
        image=np.zeros((height, width, 3), np.float32),
        labels=np.zeros((height, width), np.uint8),
        rng=rng,
        light=LIGHTS[int(rng.random() * len(LIGHTS))],
        down=(np.arange(height, dtype=np.float32) + np.float32(0.5 - horizon))[:, None],
        right=(np.arange(width, dtype=np.float32) + np.float32(0.5 - middle))[None],
        focal=sqrt(height * width * 4 / 3) * (0.8 + 0.25 * rng.random()),
        eye=1.6 + rng.random(),
        half=3.4 + 2.6 * rng.random(),
        grain=grain,
    )


def _noise(
    rng: np.random.Generator, size: tuple[int, int], pixels: float
) -> Float[np.ndarray, "H W"]:
    """Return noise in [0, 1], interpolated between random values that are `pixels` apart."""
    row, column = (np.arange(side, dtype=np.float32) / np.float32(pixels) for side in size)
    i, j = row.astype(np.intp), column.astype(np.intp)
    values = rng.random((int(i[-1]) + 2, int(j[-1]) + 2), np.float32)
    v, u = (row - i)[:, None], (column - j)[None]
    upper = values[i][:, j] * (1 - u) + values[i][:, j + 1] * u
    lower = values[i + 1][:, j] * (1 - u) + values[i + 1][:, j + 1] * u
    found: Float[np.ndarray, "H W"] = upper * (1 - v) + lower * v
    return found


def _paint_sky(scene: Scene) -> None:
    top, low = (np.array(part, np.float32) for part in scene.light[:2])
    height, width = scene.labels.shape
    share = np.clip(1 + scene.down / np.float32(0.5 * height), 0, 1)[..., None]
    clouds = np.clip(2 * _noise(scene.rng, (height, width), width / 5) - 0.9, 0, 0.7)[..., None]
    color = top + share * (low - top)
    scene.image[:] = color + clouds * (low - color)


def _paint_ground(scene: Scene) -> None:
    """Paint asphalt, pavements and markings below the horizon, with the class road."""
    z = np.float32(scene.focal * scene.eye) / np.maximum(scene.down, np.float32(0.5))
    x = scene.right * z / np.float32(scene.focal)
    asphalt, paving = scene.between(0.25, 0.45), scene.between(0.45, 0.65)
    grey = np.where(np.abs(x) < scene.half, np.float32(asphalt), np.float32(paving))
    dashed = (np.abs(x) < 0.1) & (z % 6 < 3)
    if scene.rng.random() < 0.4:  # a zebra crossing
        start = scene.between(5, 14)
        dashed |= (z > start) & (z < start + 3) & (np.abs(x) < scene.half - 0.3) & (x % 1 < 0.5)
    grey = np.where(dashed, np.float32(0.85), grey)
    scene.fill(scene.down > 0, grey[..., None], z, ROAD)


def _paint_houses(scene: Scene) -> None:
    """Paint houses along both sides of the street, and one at its end."""
    wall = scene.half + scene.between(2, 4)
    end = scene.between(60, 100)
    if scene.rng.random() < 0.7:
        scene.box(0, 0, end, 4 * wall, scene.between(5, 12), scene.pick(PAINTS), BUILDING)
    for side in (-1, 1):
        run = np.maximum(side * scene.right, np.float32(1e-3))
        z = np.float32(scene.focal * wall) / run
        up = np.float32(scene.eye) - scene.down * z / np.float32(scene.focal)
        house = np.clip(z / np.float32(scene.between(6, 14)), 0, 15).astype(np.intp)
        tops = np.array([scene.between(4, 13) for _ in range(16)], np.float32)
        tops[scene.rng.random(16) < 0.15] = 0  # gaps
        walls = np.array([scene.pick(PAINTS) for _ in range(16)], np.float32)
        pitch, storey = scene.between(1.8, 3.2), scene.between(2.7, 3.4)
        pane = (z % pitch < 0.45 * pitch) & (up % storey > 0.3 * storey) & (up % storey < 2.1)
        color = np.where(pane[..., None], np.array(DARK, np.float32), walls[house])
        standing = (side * scene.right > 0) & (z < end) & (up > 0) & (up < tops[house])
        scene.fill(standing, color, z, BUILDING)


def _things(scene: Scene) -> Iterator[Thing]:
    """Yield trees, poles, cars and people."""
    for side in (-1, 1):
        z, step = scene.between(4.5, 9), scene.between(7, 12)
        while z < 40:
            kerb = side * (scene.half + scene.between(0.4, 1))
            yield (
                z,
                partial(_paint_pole if scene.rng.random() < 0.5 else _paint_tree, scene, kerb, z),
            )
            z += step
        for lane in (0.5, 0.85):
            near = scene.between(6, 25)
            if scene.rng.random() < 0.6:
                yield near, partial(_paint_car, scene, side * lane * scene.half, near)
    crossing = scene.between(8, 16)
    yield crossing, partial(_paint_car, scene, scene.between(-3, 3), crossing)
    for _ in range(2 + int(scene.between(0, 4))):
        near = scene.between(5, 11)
        reach = min(0.4 * scene.labels.shape[1] / scene.focal * near, scene.half + 1.5)
        yield near, partial(_paint_person, scene, scene.between(-reach, reach), near)


def _paint_pole(scene: Scene, x: float, z: float) -> None:
    metal, top = scene.pick(PAINTS), scene.between(2.6, 7)
    scene.box(x, 0, z, 0.25, top, metal, POLE)
    if top < 4.5:  # a sign or a traffic light
        scene.disc(x, top, z, 0.45, 0.45, scene.pick(PAINTS), POLE)
    else:  # a lamp
        scene.box(x * 0.85, top, z, 0.3 * abs(x), 0.2, metal, POLE)


def _paint_tree(scene: Scene, x: float, z: float) -> None:
    tall, leaves = scene.between(3.5, 8), scene.pick(LEAVES)
    scene.box(x, 0, z, 0.35, 0.7 * tall, (0.34, 0.25, 0.18), TREE)
    for _ in range(6):
        across, up, spread = (
            scene.between(-1, 1),
            scene.between(0.6, 0.9),
            scene.between(0.15, 0.25),
        )
        scene.disc(
            x + 0.2 * tall * across, up * tall, z, spread * tall, spread * tall, leaves, TREE
        )


def _paint_car(scene: Scene, x: float, z: float) -> None:
    color, wide = scene.pick(PAINTS), scene.between(1.7, 4.2)  # from behind, or from the side
    for wheel in (-0.35, 0.35):
        scene.disc(x + wheel * wide, 0.33, z, 0.33, 0.33, DARK, CAR)
    scene.box(x, 0.3, z, wide, 0.65, color, CAR)
    scene.box(x, 0.95, z, 0.7 * wide, 0.5, color, CAR)
    scene.box(x, 1.0, z, 0.6 * wide, 0.35, DARK, CAR)


def _paint_person(scene: Scene, x: float, z: float) -> None:
    tall, coat, stride = scene.between(1.5, 1.95), scene.pick(PAINTS), scene.between(0.08, 0.2)
    trousers = scene.pick(PAINTS)
    for leg in (-stride, stride):
        scene.box(x + leg, 0, z, 0.18, 0.5 * tall, trousers, PERSON)
    scene.box(x, 0.48 * tall, z, 0.5, 0.36 * tall, coat, PERSON)
    scene.disc(x, 0.92 * tall, z, 0.13, 0.15, SKIN, PERSON)


def _photograph(scene: Scene) -> UInt8[np.ndarray, "H W 3"]:
    """Return the image in [0, 255], with a colour cast, another contrast and sensor noise."""
    cast = np.array([scene.between(0.8, 1.1) for _ in range(3)], np.float32)
    image = (scene.image - np.float32(0.5)) * cast + np.float32(scene.between(0.45, 0.55))
    image += np.float32(0.07) * (scene.rng.random(image.shape, np.float32) - np.float32(0.5))
    photo: UInt8[np.ndarray, "H W 3"]
    photo = (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return photo
