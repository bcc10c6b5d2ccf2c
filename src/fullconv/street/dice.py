"""Dice: all the chance of one scene, drawn in one order, so that a seed is a scene."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32

from fullconv import brushes
from fullconv.brushes import Size

Option = TypeVar("Option")


@dataclass(frozen=True)
class Dice:
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
