"""The state of a scene: camera, light, random numbers, canvas."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int, UInt8

from fullconv.data.synthetic.canvas import (
    Canvas,
    Point,
    Size,
    Stroke,
    blank_canvas,
    blur,
    ellipse,
    line,
    noise,
    polygon,
    rectangle,
)
from fullconv.data.synthetic.materials import ROAD, Color

SceneObject = tuple[float, Callable[[], None]]
"""An object of the scene: its distance in metres, and the function that paints it."""

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. World coordinates are in metres: x to the right, y up, z away.

    Attributes:
        size: (height, width) of the image in pixels.
        horizon: row of the horizon in pixels.
        middle: column of the vanishing point in pixels.
        focal: focal length in pixels.
        eye: height of the camera in metres.
    """

    size: Size
    horizon: float
    middle: float
    focal: float
    eye: float

    def at(self, x: float, y: float, z: float) -> Point:
        """Project a point to (row, column) in pixels."""
        return self.horizon + self.focal * (self.eye - y) / z, self.middle + self.focal * x / z

    def face(self, *corners: Corner) -> Stroke:
        """Project a convex polygon with corners (x, y, z)."""
        return polygon(self.size, [self.at(*corner) for corner in corners])

    def upright(self, left: float, right: float, bottom: float, top: float, z: float) -> Stroke:
        """Project a rectangle that faces the camera."""
        return rectangle(self.size, self.at(left, top, z), self.at(right, bottom, z))

    def disc(self, x: float, y: float, z: float, high: float, wide: float) -> Stroke:
        """Project an ellipse that faces the camera, with radii in metres."""
        scale = self.focal / z
        return ellipse(self.size, self.at(x, y, z), (high * scale, wide * scale))

    def bar(self, start: Point, end: Point, z: float, thick: float) -> Stroke:
        """Project a bar between two points (x, y), with a minimum thickness in pixels."""
        a, b = self.at(*start, z), self.at(*end, z)
        return line(self.size, a, b, max(thick * self.focal / z, self.size[0] / 45))


Option = TypeVar("Option")


@dataclass(frozen=True)
class SceneRandom:
    """The random numbers of a scene. An additional draw changes all later ones."""

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """Return a uniform random number."""
        return low + (high - low) * self.rng.random()

    def chance(self, share: float) -> bool:
        """Return True with probability `share`."""
        return self.rng.random() < share

    def pick(self, options: Sequence[Option]) -> Option:
        """Return a random option."""
        return options[int(self.rng.random() * len(options))]

    def along(self, near: float, far: float, spacing: float) -> Iterator[float]:
        """Yield the distances of objects in a row, in metres; each is drawn lazily."""
        z = near + self.between(0, 1) * spacing
        while z < far:
            yield z
            z += spacing * self.between(0.7, 1.3)

    def noise(self, size: Size, cell: float) -> Float32[np.ndarray, "H W"]:
        """Return smooth noise in [0, 1] with features of about `cell` pixels."""
        return noise(self.rng, size, cell)


HAZE_DISTANCE = 220  # metres at which half of a colour is haze

Kinds = Int[np.ndarray, "#h #w"]
Picture = Float32[np.ndarray, "#h #w 3"]

Raster = Float32[np.ndarray, "#h #w"]


@dataclass(frozen=True)
class Light:
    """The light at a time of day.

    Attributes:
        top: colour of the sky at the zenith.
        low: colour of the sky at the horizon, and of the haze.
        gain: factor on the colour of surfaces.
        shadow: share of the light that a shadow blocks, in [0, 1].
        lamps: share of lit windows, in [0, 1].
    """

    top: Color
    low: Color
    gain: Color
    shadow: float
    lamps: float

    def lit(self, color: Color, z: float, gain: float = 1) -> Color:
        """Return the colour of a surface in this light at a distance of `z` metres."""
        air = z / (z + HAZE_DISTANCE)
        clear = gain * (1 - air)
        return (
            clear * color[0] * self.gain[0] + air * self.low[0],
            clear * color[1] * self.gain[1] + air * self.low[1],
            clear * color[2] * self.gain[2] + air * self.low[2],
        )

    def surface(self, colors: Sequence[Color], kind: Kinds, shade: Raster, z: Raster) -> Picture:
        """Return the colours of a surface of several materials in this light.

        Args:
            colors: colour of each material.
            kind: material of each pixel, an index into `colors`.
            shade: brightness of each pixel; 1 is fully lit.
            z: distance of each pixel, in metres.
        """
        air = (z / (z + np.float32(HAZE_DISTANCE)))[..., None]
        color = np.array(colors, np.float32)[kind] * shade[..., None]
        haze = np.array(self.low, np.float32)
        lit: Picture = color * (np.array(self.gain, np.float32) * (1 - air)) + air * haze
        return lit


DAY = Light((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), (1.04, 1.00, 0.95), 0.45, 0.0)
GREY = Light((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), (0.82, 0.85, 0.88), 0.15, 0.1)
DUSK = Light((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), (0.84, 0.66, 0.58), 0.30, 0.5)
NIGHT = Light((0.06, 0.08, 0.18), (0.22, 0.21, 0.32), (0.50, 0.50, 0.62), 0.20, 0.6)
LIGHTS = (DAY, DAY, DAY, GREY, GREY, DUSK, DUSK, NIGHT)


@dataclass(frozen=True)
class Scene:
    """A street scene: canvas, random numbers, light, camera and layout.

    Attributes:
        canvas: image and labels painted so far.
        random: random numbers of the scene.
        light: light at the time of day.
        camera: the camera.
        half: distance from the center of the street to the kerb, in metres.
        wall: distance from the center of the street to the houses, in metres.
        sunny: side of the street in the sun, -1 (left) or 1 (right).
        grain: fine noise in [0, 1], the texture of all surfaces.
    """

    canvas: Canvas
    random: SceneRandom
    light: Light
    camera: Camera
    half: float
    wall: float
    sunny: int
    grain: Raster

    def paint(self, stroke: Stroke, color: Color, z: float, label: int, gain: float = 1) -> None:
        """Paint a surface at a distance of `z` metres in the light of the scene."""
        self.canvas.paint(stroke, self.light.lit(color, z, gain), label)

    def shadow(self, stroke: Stroke) -> None:
        """Darken the road."""
        self.canvas.tint(stroke, (0.03, 0.03, 0.05), 0.3 + self.light.shadow, only=ROAD)


def create_scene(random: SceneRandom, size: Size) -> Scene:
    """Draw the layout of a street, its light and its camera; `size` is (height, width)."""
    height, width = size
    scale = math.sqrt(height * width * 4 / 3)  # the width of a 4:3 image
    half = random.between(3.4, 6.0)
    return Scene(
        canvas=blank_canvas(size),
        random=random,
        light=random.pick(LIGHTS),
        camera=Camera(
            size=size,
            horizon=height * random.between(0.42, 0.54),
            middle=width * random.between(0.36, 0.64),
            focal=scale * random.between(0.8, 1.05),
            eye=random.between(1.6, 2.6),
        ),
        half=half,
        wall=half + random.between(2.0, 4.0),
        sunny=1 if random.chance(0.5) else -1,
        grain=(random.noise(size, scale / 100) * 3 + random.noise(size, scale / 16) * 2) / 5,
    )


def add_camera_effects(
    image: Float32[np.ndarray, "H W 3"], random: SceneRandom
) -> UInt8[np.ndarray, "H W 3"]:
    """Add blur, a colour cast, contrast and sensor noise to an image in [0, 1]."""
    image = blur(image, random.between(0.06, 0.2))
    gain = random.between(0.8, 1.15)
    cast = np.array([gain * random.between(0.93, 1.07) for _ in range(3)], np.float32)
    image = (image - np.float32(0.5)) * cast + np.float32(random.between(0.45, 0.55))
    amplitude = np.float32(random.between(0.03, 0.09))
    image += amplitude * (random.rng.random(image.shape, np.float32) - np.float32(0.5))
    photo: UInt8[np.ndarray, "H W 3"]
    photo = (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return photo
