"""The scene: what all painters of one street share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fullconv.brushes import Canvas, Size, Stroke, blank
from fullconv.street.camera import Camera
from fullconv.street.dice import Dice
from fullconv.street.light import LIGHTS, Light, Raster
from fullconv.street.materials import ROAD, Color

Thing = tuple[float, Callable[[], None]]
"""Something that stands in the street: its distance in metres, and how it is painted."""


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
    dice: Dice
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


def lay_out(dice: Dice, size: Size) -> Scene:
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
