"""The bodies of cars, as flat panels in the order in which they are painted."""

from collections.abc import Sequence

from fullconv.brushes import Point
from fullconv.street.camera import Corner
from fullconv.street.materials import BLACK, GLASS, Color

Panel = tuple[Color | None, float, Sequence[Corner]]

WHEEL = ((0.35, -0.15), (0.35, 0.15), (0.1, 0.36), (-0.33, 0.2), (-0.33, -0.2), (0.1, -0.36))
PROFILE: tuple[tuple[Color | None, float, tuple[Point, ...]], ...] = (
    (None, 1.05, ((-1.5, 0.85), (-1.0, 1.42), (0.4, 1.42), (1.2, 0.85))),
    (GLASS, 1.0, ((-1.3, 0.9), (-0.9, 1.32), (-0.3, 1.32), (-0.3, 0.9))),
    (GLASS, 1.0, ((-0.2, 0.9), (-0.2, 1.32), (0.35, 1.32), (0.95, 0.9))),
    (None, 0.9, ((-2.1, 0.3), (-2.1, 0.8), (-1.8, 0.95), (1.2, 0.92), (2.05, 0.75), (2.1, 0.3))),
)
"""A car from its side: colour (None is its own), gain, outline in metres (ahead, up)."""


def panels(wide: float, long: float, away: bool, roof: float, van: bool) -> list[Panel]:
    """The outside of a car from below to above: (colour or None, gain, corners).

    Args:
        wide: half of its width, in metres.
        long: its length, in metres.
        away: whether it is seen from behind.
        roof: height of its roof, in metres, were it no van.
        van: whether it is one.

    Returns:
        Corners are (to the side that is seen, up, back) in metres from the foot of its near end.
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
    """The panel from one flank to the other whose edge on this flank goes from `a` to `b`."""
    return a, b, (-b[0], b[1], b[2]), (-a[0], a[1], a[2])
