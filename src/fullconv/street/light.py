"""Light: the hours of the day, and what they and the haze make of a surface's colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from fullconv.street.materials import Color

CLEAR = 220  # metres through which half of the light is the haze's own

Raster = Float32[np.ndarray, "#h #w"]
Kinds = Int[np.ndarray, "#h #w"]
Picture = Float32[np.ndarray, "#h #w 3"]


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


DAY = Light((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), (1.04, 1.00, 0.95), 0.45, 0.0)
GREY = Light((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), (0.82, 0.85, 0.88), 0.15, 0.1)
DUSK = Light((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), (0.84, 0.66, 0.58), 0.30, 0.5)
NIGHT = Light((0.06, 0.08, 0.18), (0.22, 0.21, 0.32), (0.50, 0.50, 0.62), 0.20, 0.6)
LIGHTS = (DAY, DAY, DAY, GREY, GREY, DUSK, DUSK, NIGHT)
