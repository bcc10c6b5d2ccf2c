"""The camera: where it sees a point of the street, and what it makes of the finished picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from fullconv.brushes import Point, Size, Stroke, ellipse, line, polygon, rectangle, soften
from fullconv.street.dice import Dice

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


def develop(image: Float32[np.ndarray, "H W 3"], dice: Dice) -> UInt8[np.ndarray, "H W 3"]:
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
