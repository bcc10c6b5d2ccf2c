"""Scene state: camera, light, materials, random draws."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int, UInt8

from fullconv.data.synthetic import canvas as brushes
from fullconv.data.synthetic.canvas import (
    Canvas,
    Point,
    Size,
    Stroke,
    blank,
    ellipse,
    line,
    polygon,
    rectangle,
    soften,
)
from fullconv.io.palettes import Palette

Thing = tuple[float, Callable[[], None]]
"""Something that stands in the street: its distance in metres, and how it is painted."""

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. Shapes are given in metres: x to the right, y up, z away from it.

    Attributes:
        size: height and width of the picture, in pixels.
        horizon: its row, in pixels.
        middle: the column of the street's end, in pixels.
        focal: pixels that one metre spans at a distance of one metre.
        eye: height of the camera, in metres.
    """

    size: Size
    horizon: float
    middle: float
    focal: float
    eye: float

    def at(self, x: float, y: float, z: float) -> Point:
        """Where the camera sees a point of the world, in pixels."""
        return self.horizon + self.focal * (self.eye - y) / z, self.middle + self.focal * x / z

    def face(self, *corners: Corner) -> Stroke:
        """A flat convex surface, by its corners (x, y, z)."""
        return polygon(self.size, [self.at(*corner) for corner in corners])

    def upright(self, left: float, right: float, bottom: float, top: float, z: float) -> Stroke:
        """A rectangle that faces the camera."""
        return rectangle(self.size, self.at(left, top, z), self.at(right, bottom, z))

    def disc(self, x: float, y: float, z: float, high: float, wide: float) -> Stroke:
        """An ellipse that faces the camera; its radii are in metres."""
        scale = self.focal / z
        return ellipse(self.size, self.at(x, y, z), (high * scale, wide * scale))

    def bar(self, start: Point, end: Point, z: float, thick: float) -> Stroke:
        """A bar that faces the camera, from one (x, y) to another, never too thin to see."""
        a, b = self.at(*start, z), self.at(*end, z)
        return line(self.size, a, b, max(thick * self.focal / z, self.size[0] / 45))


Color = tuple[float, float, float]

Option = TypeVar("Option")


@dataclass(frozen=True)
class SceneRandom:
    """What painters draw their lots from; who draws more than before changes all that follows.

    Attributes:
        rng: where the numbers come from.
    """

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * self.rng.random()

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.rng.random() < share

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options."""
        return options[int(self.rng.random() * len(options))]

    def along(self, near: float, far: float, spacing: float) -> Iterator[float]:
        """Distances of things in a row, in metres; each is drawn when it is asked for."""
        z = near + self.between(0, 1) * spacing
        while z < far:
            yield z
            z += spacing * self.between(0.7, 1.3)

    def noise(self, size: Size, cell: float) -> Float32[np.ndarray, "H W"]:
        """Smooth random values in [0, 1], with bumps about `cell` pixels wide."""
        return brushes.noise(self.rng, size, cell)


Kinds = Int[np.ndarray, "#h #w"]
Picture = Float32[np.ndarray, "#h #w 3"]

Raster = Float32[np.ndarray, "#h #w"]


@dataclass(frozen=True)
class Light:
    """An hour of the day.

    Attributes:
        top: the sky above, RGB in [0, 1].
        low: the sky at the horizon, and the haze of what is far.
        gain: what the light makes of a surface's own colour.
        shadow: how much of the light a shadow takes, in [0, 1].
        lamps: share of the windows that are lit, in [0, 1].
    """

    top: Color
    low: Color
    gain: Color
    shadow: float
    lamps: float

    def lit(self, color: Color, z: float, gain: float = 1) -> Color:
        """A surface's colour in this light, seen through the haze of `z` metres."""
        air = z / (z + CLEAR)
        clear = gain * (1 - air)
        return (
            clear * color[0] * self.gain[0] + air * self.low[0],
            clear * color[1] * self.gain[1] + air * self.low[1],
            clear * color[2] * self.gain[2] + air * self.low[2],
        )

    def surface(self, colors: Sequence[Color], kind: Kinds, shade: Raster, z: Raster) -> Picture:
        """The colours of a surface of several materials, in this light and haze.

        Args:
            colors: one for each material.
            kind: the material of each pixel, an index into `colors`.
            shade: how bright each pixel is, 1 in plain light.
            z: its distance, in metres.
        """
        air = (z / (z + np.float32(CLEAR)))[..., None]
        color = np.array(colors, np.float32)[kind] * shade[..., None]
        haze = np.array(self.low, np.float32)
        lit: Picture = color * (np.array(self.gain, np.float32) * (1 - air)) + air * haze
        return lit


@dataclass(frozen=True)
class Scene:
    """One street before anything is painted: canvas, chance, light, camera and ground plan.

    Attributes:
        half: from the middle of the street to the kerb, in metres.
        wall: from the middle of the street to the houses, in metres.
        sunny: the side whose walls the sun meets, -1 (left) or 1.
        grain: fine noise in [0, 1], the texture of every surface.
    """

    canvas: Canvas
    dice: SceneRandom
    light: Light
    camera: Camera
    half: float
    wall: float
    sunny: int
    grain: Raster

    def paint(self, stroke: Stroke, color: Color, z: float, label: int, gain: float = 1) -> None:
        """Paint a surface at distance `z`, in metres, in this scene's light and haze."""
        self.canvas.paint(stroke, self.light.lit(color, z, gain), label)

    def shadow(self, stroke: Stroke) -> None:
        """Keep the light from the ground."""
        self.canvas.tint(stroke, (0.03, 0.03, 0.05), 0.3 + self.light.shadow, only=ROAD)


def lay_out(dice: SceneRandom, size: Size) -> Scene:
    """A street, an hour and a place for the camera; `size` is (height, width) in pixels."""
    height, width = size
    scale = math.sqrt(height * width * 4 / 3)  # the width, where a picture is 3 by 4
    half = dice.between(3.4, 6.0)
    return Scene(
        canvas=blank(size),
        dice=dice,
        light=dice.pick(LIGHTS),
        camera=Camera(
            size=size,
            horizon=height * dice.between(0.42, 0.54),
            middle=width * dice.between(0.36, 0.64),
            focal=scale * dice.between(0.8, 1.05),
            eye=dice.between(1.6, 2.6),
        ),
        half=half,
        wall=half + dice.between(2.0, 4.0),
        sunny=1 if dice.chance(0.5) else -1,
        grain=(dice.noise(size, scale / 100) * 3 + dice.noise(size, scale / 16) * 2) / 5,
    )


CLEAR = 220  # metres through which half of the light is the haze's own


DAY = Light((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), (1.04, 1.00, 0.95), 0.45, 0.0)
GREY = Light((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), (0.82, 0.85, 0.88), 0.15, 0.1)
DUSK = Light((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), (0.84, 0.66, 0.58), 0.30, 0.5)
NIGHT = Light((0.06, 0.08, 0.18), (0.22, 0.21, 0.32), (0.50, 0.50, 0.62), 0.20, 0.6)
LIGHTS = (DAY, DAY, DAY, GREY, GREY, DUSK, DUSK, NIGHT)

CLASSES = ("sky", "building", "road", "tree", "car", "person", "pole")
SKY, BUILDING, ROAD, TREE, CAR, PERSON, POLE = range(7)
# Cityscapes' colours, which people who look at street scenes know.
PALETTE: Palette = (
    (70, 130, 180), (70, 70, 70), (128, 64, 128), (107, 142, 35), (0, 0, 142), (220, 20, 60),
    (153, 153, 153),
)  # fmt: skip

# All that follows is RGB in [0, 1], as it looks in white light.
PAINTS: tuple[Color, ...] = (
    (0.75, 0.12, 0.12), (0.15, 0.28, 0.62), (0.88, 0.88, 0.90), (0.16, 0.16, 0.18),
    (0.55, 0.57, 0.60), (0.90, 0.72, 0.15), (0.20, 0.42, 0.26), (0.42, 0.62, 0.78),
    (0.80, 0.42, 0.16), (0.40, 0.14, 0.26),
)  # fmt: skip
LEAVES: tuple[Color, ...] = (
    (0.20, 0.42, 0.14),
    (0.30, 0.50, 0.16),
    (0.14, 0.34, 0.20),
    (0.42, 0.48, 0.16),
    (0.74, 0.44, 0.12),
)
SKINS: tuple[Color, ...] = (
    (0.92, 0.74, 0.62),
    (0.78, 0.56, 0.42),
    (0.52, 0.34, 0.24),
    (0.36, 0.24, 0.18),
)
METALS: tuple[Color, ...] = (
    (0.25, 0.27, 0.28),
    (0.52, 0.54, 0.55),
    (0.16, 0.26, 0.22),
    (0.40, 0.36, 0.32),
)
BLACK: Color = (0.06, 0.06, 0.07)
WHITE: Color = (0.96, 0.95, 0.86)
GLASS: Color = (0.20, 0.27, 0.33)
BARK: Color = (0.34, 0.25, 0.18)
GLOW: Color = (1.0, 0.86, 0.55)


def develop(image: Float32[np.ndarray, "H W 3"], dice: SceneRandom) -> UInt8[np.ndarray, "H W 3"]:
    """The photo of a painted picture: blur, colour cast, contrast, and sensor noise.

    Args:
        image: RGB in [0, 1].
        dice: what makes each photo's camera another.

    Returns:
        RGB in [0, 255].
    """
    image = soften(image, dice.between(0.06, 0.2))
    gain = dice.between(0.8, 1.15)
    cast = np.array([gain * dice.between(0.93, 1.07) for _ in range(3)], np.float32)
    image = (image - np.float32(0.5)) * cast + np.float32(dice.between(0.45, 0.55))
    noisy = np.float32(dice.between(0.03, 0.09))
    image += noisy * (dice.rng.random(image.shape, np.float32) - np.float32(0.5))
    whole: UInt8[np.ndarray, "H W 3"]
    whole = (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return whole
