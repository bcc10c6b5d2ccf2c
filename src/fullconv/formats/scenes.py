"""scenes:N, street scenes that this file draws itself, so that a demo needs no download.

A scene is a pure function of (seed, index, height, width). A pinhole camera stands in a street;
what stands there is measured in metres (x to the right, y up, z away from the camera) and painted
from far to near, so the labels are exact: each pixel belongs to what was painted last at it.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int, UInt8

from fullconv.brushes import (
    Canvas,
    Point,
    Size,
    Stroke,
    band,
    blank,
    centres,
    cloud,
    ellipse,
    glow,
    line,
    noise,
    polygon,
    rectangle,
    soften,
)
from fullconv.colors import Palette
from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.sample import Data, Sample

CLASSES = ("sky", "building", "road", "tree", "car", "person", "pole")
SKY, BUILDING, ROAD, TREE, CAR, PERSON, POLE = range(7)
# Cityscapes' colours, which people who look at street scenes know.
PALETTE: Palette = (
    (70, 130, 180), (70, 70, 70), (128, 64, 128), (107, 142, 35), (0, 0, 142), (220, 20, 60),
    (153, 153, 153),
)  # fmt: skip
MOST = 1_000_000  # scenes of one data set; the test scenes follow, so no train split holds them

CLEAR = 220  # metres through which half of the light is the haze's own
BEHIND = 1000  # added to the distance of what stands behind the whole street

Color = tuple[float, float, float]
Corner = tuple[float, float, float]
Panel = tuple[Color | None, float, Sequence[Corner]]
Thing = tuple[float, Callable[[], None]]
Raster = Float32[np.ndarray, "#h #w"]
Kinds = Int[np.ndarray, "#h #w"]
Picture = Float32[np.ndarray, "#h #w 3"]
Option = TypeVar("Option")


def open_scenes(rest: str, split: str | None) -> Data:
    """N scenes: "200", "200@240x320" (height x width), "200#7" (seed), "200@240x320#7".

    Args:
        rest: what follows "scenes:".
        split: "train" (the first 80 %), "val" (the rest), "test" (N // 4 more), None (all N).

    Raises:
        DataError: a number out of its range, or another split.
    """
    count, height, width, seed = _parse(rest)
    indices = _indices(count, split)
    return Data(
        source=f"scenes:{rest}",
        split=split,
        classes=CLASSES,
        palette=PALETTE,
        names=tuple(_name(index) for index in indices),
        read=lambda place: draw(seed, indices[place], height, width),
    )


formats.register("scenes")(
    Format("drawn street scenes, scenes:N[@HxW][#SEED]", open_scenes, lambda folder: False)
)


def draw(seed: int, index: int, height: int, width: int) -> Sample:
    """Scene `index` of the data set with this seed; the same arguments give the same bytes."""
    sequence = np.random.SeedSequence([seed, index])
    street = _street(np.random.Generator(np.random.Philox(sequence)), (height, width))
    _paint_sky(street)
    _paint_ground(street)
    for _, paint in sorted(_things(street), key=lambda thing: -thing[0]):
        paint()
    return Sample(_develop(street), street.canvas.labels, _name(index))


def _parse(rest: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"(\d{1,9})(?:@(\d{1,9})x(\d{1,9}))?(?:#(\d{1,9}))?", rest, re.ASCII)
    if not found:
        raise DataError(
            f"scenes:{rest} is not scenes:N, the number of scenes; expected e.g. scenes:200, "
            "scenes:200@240x320 (height x width) or scenes:200@240x320#7 (seed)"
        )
    count, height, width, seed = (int(n) for n in found.groups(default="0"))
    if not 1 <= count <= MOST:
        raise DataError(f"scenes:{rest} asks for {count:,} scenes; expected 1 to {MOST:,}")
    if not found[2]:
        height, width = 120, 160
    if not (16 <= height <= 2048 and 16 <= width <= 2048):
        raise DataError(
            f"scenes:{rest} asks for scenes of {height} x {width} pixels (height x width); "
            "expected 16 to 2048 a side"
        )
    return count, height, width, seed


def _indices(count: int, split: str | None) -> range:
    splits = {
        "train": range(count * 4 // 5),
        "val": range(count * 4 // 5, count),
        "test": range(MOST, MOST + max(count // 4, 1)),
    }
    if split is None:
        return range(count)
    if split not in splits:
        raise DataError(f"scenes has no split {split!r}; there are: {', '.join(splits)}")
    if count < 2:
        raise DataError(f"scenes:{count} is too few to split; expected scenes:2 or more")
    return splits[split]


def _name(index: int) -> str:
    return f"scene-{index:05d}"


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


DAY = Light((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), (1.04, 1.00, 0.95), 0.45, 0.0)
GREY = Light((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), (0.82, 0.85, 0.88), 0.15, 0.1)
DUSK = Light((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), (0.84, 0.66, 0.58), 0.30, 0.5)
NIGHT = Light((0.06, 0.08, 0.18), (0.22, 0.21, 0.32), (0.50, 0.50, 0.62), 0.20, 0.6)
LIGHTS = (DAY, DAY, DAY, GREY, GREY, DUSK, DUSK, NIGHT)

WALLS = (
    (0.80, 0.72, 0.58), (0.72, 0.42, 0.34), (0.86, 0.82, 0.76), (0.58, 0.60, 0.64),
    (0.84, 0.64, 0.44), (0.52, 0.66, 0.76), (0.58, 0.68, 0.50), (0.78, 0.56, 0.56),
    (0.44, 0.42, 0.44), (0.90, 0.80, 0.56),
)  # fmt: skip
PAINTS = (
    (0.75, 0.12, 0.12), (0.15, 0.28, 0.62), (0.88, 0.88, 0.90), (0.16, 0.16, 0.18),
    (0.55, 0.57, 0.60), (0.90, 0.72, 0.15), (0.20, 0.42, 0.26), (0.42, 0.62, 0.78),
    (0.80, 0.42, 0.16), (0.40, 0.14, 0.26),
)  # fmt: skip
LEAVES = (
    (0.20, 0.42, 0.14), (0.30, 0.50, 0.16), (0.14, 0.34, 0.20), (0.42, 0.48, 0.16),
    (0.74, 0.44, 0.12),
)  # fmt: skip
SKINS = ((0.92, 0.74, 0.62), (0.78, 0.56, 0.42), (0.52, 0.34, 0.24), (0.36, 0.24, 0.18))
METALS = ((0.25, 0.27, 0.28), (0.52, 0.54, 0.55), (0.16, 0.26, 0.22), (0.40, 0.36, 0.32))
TILES = ((0.50, 0.24, 0.18), (0.28, 0.28, 0.32), (0.42, 0.34, 0.28))
LANES = ((0.52, 0.26, 0.22), (0.26, 0.42, 0.28), (0.24, 0.32, 0.48))
SIGNS = (
    ((0.80, 0.10, 0.10), (0.95, 0.95, 0.95)),  # ring and plate
    ((0.90, 0.90, 0.90), (0.10, 0.30, 0.70)),
    ((0.95, 0.95, 0.90), (0.95, 0.75, 0.10)),
)
BLACK, WHITE, GLASS = (0.06, 0.06, 0.07), (0.96, 0.95, 0.86), (0.20, 0.27, 0.33)
WHEEL = ((0.35, -0.15), (0.35, 0.15), (0.1, 0.36), (-0.33, 0.2), (-0.33, -0.2), (0.1, -0.36))
PROFILE: tuple[tuple[Color | None, float, tuple[Point, ...]], ...] = (
    (None, 1.05, ((-1.5, 0.85), (-1.0, 1.42), (0.4, 1.42), (1.2, 0.85))),
    (GLASS, 1.0, ((-1.3, 0.9), (-0.9, 1.32), (-0.3, 1.32), (-0.3, 0.9))),
    (GLASS, 1.0, ((-0.2, 0.9), (-0.2, 1.32), (0.35, 1.32), (0.95, 0.9))),
    (None, 0.9, ((-2.1, 0.3), (-2.1, 0.8), (-1.8, 0.95), (1.2, 0.92), (2.05, 0.75), (2.1, 0.3))),
)  # a car from its side: colour (None is its own), gain, outline in metres (ahead, up)
SIGNALS = ((0.20, 0.90, 0.40), (1.00, 0.75, 0.10), (1.00, 0.15, 0.10))  # from below
BARK, GLOW = (0.34, 0.25, 0.18), (1.0, 0.86, 0.55)


@dataclass(frozen=True)
class Street:
    """What all things of one scene share: canvas, chance, light, and the camera.

    Attributes:
        horizon: its row, in pixels.
        middle: the column of the street's end, in pixels.
        focal: pixels that one metre spans at a distance of one metre.
        eye: height of the camera, in metres.
        half: from the middle of the street to the kerb, in metres.
        wall: from the middle of the street to the houses, in metres.
        sunny: the side whose walls the sun meets, -1 (left) or 1.
        grain: fine noise in [0, 1], the texture of every surface.
    """

    canvas: Canvas
    rng: np.random.Generator
    light: Light
    horizon: float
    middle: float
    focal: float
    eye: float
    half: float
    wall: float
    sunny: int
    grain: Raster

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * self.rng.random()

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.rng.random() < share

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options."""
        return options[int(self.rng.random() * len(options))]

    def at(self, x: float, y: float, z: float) -> Point:
        """Where the camera sees a point of the world, in pixels."""
        return self.horizon + self.focal * (self.eye - y) / z, self.middle + self.focal * x / z

    def face(self, *corners: Corner) -> Stroke:
        """A flat convex surface, by its corners (x, y, z)."""
        return polygon(self.canvas.size, [self.at(*corner) for corner in corners])

    def upright(self, left: float, right: float, bottom: float, top: float, z: float) -> Stroke:
        """A rectangle that faces the camera."""
        return rectangle(self.canvas.size, self.at(left, top, z), self.at(right, bottom, z))

    def disc(self, x: float, y: float, z: float, high: float, wide: float) -> Stroke:
        """An ellipse that faces the camera; its radii are in metres."""
        scale = self.focal / z
        return ellipse(self.canvas.size, self.at(x, y, z), (high * scale, wide * scale))

    def bar(self, start: Point, end: Point, z: float, thick: float) -> Stroke:
        """A bar that faces the camera, from one (x, y) to another, never too thin to see."""
        a, b = self.at(*start, z), self.at(*end, z)
        return line(self.canvas.size, a, b, max(thick * self.focal / z, self.canvas.size[0] / 45))

    def lit(self, color: Color, z: float, gain: float = 1) -> Color:
        """A surface's colour in this light, seen through the haze of `z` metres."""
        air = z / (z + CLEAR)
        clear = gain * (1 - air)
        light, haze = self.light.gain, self.light.low
        return (
            clear * color[0] * light[0] + air * haze[0],
            clear * color[1] * light[1] + air * haze[1],
            clear * color[2] * light[2] + air * haze[2],
        )

    def paint(self, stroke: Stroke, color: Color, z: float, label: int, gain: float = 1) -> None:
        """Paint a surface at distance `z`."""
        self.canvas.paint(stroke, self.lit(color, z, gain), label)

    def shadow(self, stroke: Stroke) -> None:
        """Keep the light from the ground."""
        self.canvas.tint(stroke, (0.03, 0.03, 0.05), 0.3 + self.light.shadow, only=ROAD)

    def surface(self, colors: Sequence[Color], kind: Kinds, shade: Raster, z: Raster) -> Picture:
        """The colours of a surface of several materials, in this light and haze."""
        air = (z / (z + np.float32(CLEAR)))[..., None]
        color = np.array(colors, np.float32)[kind] * shade[..., None]
        haze = np.array(self.light.low, np.float32)
        lit: Picture = color * (np.array(self.light.gain, np.float32) * (1 - air)) + air * haze
        return lit


def _street(rng: np.random.Generator, size: Size) -> Street:
    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    height, width = size
    scale = math.sqrt(height * width * 4 / 3)  # the width, where a picture is 3 by 4
    half = between(3.4, 6.0)
    return Street(
        canvas=blank(size),
        rng=rng,
        light=LIGHTS[int(rng.random() * len(LIGHTS))],
        horizon=height * between(0.42, 0.54),
        middle=width * between(0.36, 0.64),
        focal=scale * between(0.8, 1.05),
        eye=between(1.6, 2.6),
        half=half,
        wall=half + between(2.0, 4.0),
        sunny=1 if rng.random() < 0.5 else -1,
        grain=(noise(rng, size, scale / 100) * 3 + noise(rng, size, scale / 16) * 2) / 5,
    )


def _paint_sky(street: Street) -> None:
    """A gradient, haze around the sun, and clouds that thin out towards the horizon."""
    light, (height, width) = street.light, street.canvas.size
    sky = band(street.canvas.size, 0, int(street.horizon) + 1)
    rows, columns = centres(sky)
    top, low = np.array(light.top, np.float32), np.array(light.low, np.float32)
    down = np.minimum(rows / street.horizon, 1)[..., None]
    row, column = (columns - street.between(0, width)), rows - street.between(-0.3, 0.4) * height
    far = (row * row + column * column) / (0.09 * width * width)
    color = top + down * (low - top) + (0.35 * light.shadow / (1 + 4 * far))[..., None]
    size = sky.cover.shape[0], width
    shape = noise(street.rng, size, width / 5) + noise(street.rng, size, width / 14)
    veil = np.clip(shape * street.between(0.8, 2.2) - street.between(0.8, 1.6), 0, 0.7)[..., None]
    white = low * np.float32(street.between(0.8, 1.1))
    street.canvas.paint(sky, color + veil * (1 - 0.6 * down) * (white - color), SKY)


def _paint_ground(street: Street) -> None:
    """Asphalt and pavement with paint, joints, verges, shadows and puddles; all of it is road."""
    ground = band(street.canvas.size, int(street.horizon) + 1, street.canvas.size[0])
    rows, columns = centres(ground)
    z = street.focal * street.eye / (rows - street.horizon)
    x = (columns - street.middle) * z / street.focal
    tar, stone = street.between(0.26, 0.46), street.between(0.46, 0.66)
    colors = (
        (tar, tar, tar), (stone + 0.04, stone, stone - 0.05), (0.85, 0.85, 0.80),
        (0.66, 0.66, 0.65), street.pick(LANES), (stone - 0.1, stone - 0.12, stone - 0.15),
        (0.30, 0.42, 0.18),
    )  # fmt: skip
    kind = _markings(street, x, z)
    dark = -street.sunny * x > street.between(-0.4, 1.3) * street.half
    grain = street.grain[ground.rows]
    shade = (0.78 + 0.44 * grain) * np.where(dark, np.float32(1 - street.light.shadow), 1)
    color = street.surface(colors, kind, shade, z)
    if street.chance(0.3):  # puddles, with the sky in them
        size = grain.shape[0], grain.shape[1]
        wet = np.clip(8 * noise(street.rng, size, size[1] / 9) - 5.6, 0, 0.7)[..., None]
        color += wet * (np.array(street.light.top, np.float32) - color)
    street.canvas.paint(ground, color, ROAD)


def _markings(street: Street, x: Raster, z: Raster) -> Kinds:
    """What lies where: asphalt 0, paving 1, paint 2, kerb 3, coloured lane 4, joint 5, verge 6."""
    aside, half = np.abs(x), street.half
    kind: Kinds = (aside > half).astype(np.intp)
    kind[(aside > half) & ((z % 1.2 < 0.1) | (aside % 1.2 < 0.07)) & (z < 14)] = 5
    if street.chance(0.3):
        kind[aside > street.wall - street.between(0.5, 2)] = 6
    if street.chance(0.3):
        lane = street.pick((-1, 1)) * x
        kind[(lane > half - 1.6) & (lane < half)] = 4
    kind[(aside < 0.09) & (z % 6 < street.pick((3, 6)))] = 2
    if street.chance(0.5):
        kind[np.abs(aside - half + 0.5) < 0.07] = 2
    if street.chance(0.4):  # a zebra crossing
        start = street.between(5, 14)
        kind[(z > start) & (z < start + 3) & (aside < half - 0.3) & (x % 1 < 0.5)] = 2
    kind[np.abs(aside - half) < 0.14] = 3
    return kind


def _things(street: Street) -> list[Thing]:
    """Everything that stands in the street, with its distance in metres."""
    things = [*_houses(street), *_traffic(street)]
    kerb, leafy, spacing = street.half + 0.5, street.between(0.1, 0.9), street.between(7, 14)
    for side in (-1, 1):
        for z in _along(street, 5, 45, spacing):
            if street.chance(leafy):
                things.append((z, partial(_tree, street, side * (kerb + 0.4), z)))
        for z in _along(street, 4.5, 26, spacing):
            things.append((z, partial(_pole, street, side * kerb, z)))
    for _ in range(3 + int(street.between(0, 4))):
        z = street.between(5, 12)
        reach = min(0.42 * street.canvas.size[1] / street.focal * z, street.wall - 0.4)
        things.append((z, partial(_person, street, street.between(-reach, reach), z)))
    return things


def _along(street: Street, near: float, far: float, spacing: float) -> Iterator[float]:
    """Distances of things in a row, in metres."""
    z = near + street.between(0, 1) * spacing
    while z < far:
        yield z
        z += spacing * street.between(0.7, 1.3)


def _houses(street: Street) -> list[Thing]:
    """A row on each side, and often something across the end of the street."""
    things: list[Thing] = []
    for side in (-1, 1):
        z, tall, neighbour = street.between(1.5, 6), street.between(5, 13), 0.0
        while z < 80:
            far, top = z + street.between(6, 14) * (1 + z / 40), tall * street.between(0.7, 1.4)
            if street.chance(0.12):
                top = 0
                thing = partial(_tree, street, side * (street.wall + 2), z + 3)
            else:
                thing = partial(_house, street, side, z, far, top, top > neighbour)
            things.append((z + BEHIND, thing))
            z, neighbour = far, top
    if street.chance(0.6):
        things.append((100 + BEHIND, partial(_backdrop, street)))
    return things


def _backdrop(street: Street) -> None:
    """Where the street ends: trees or houses across it."""
    x, green, z = -30.0, street.chance(0.5), street.between(60, 100)
    while x < 30:
        wide, top = street.between(8, 20), street.between(6, 14)
        if green:
            leaves = street.pick(LEAVES)
            street.paint(street.disc(x, 3, z, 0.5 * top, wide), leaves, z, TREE, 0.8)
        else:
            _facade(street, street.upright(x, x + wide, 0, top, z), z, top, 0)
        x += wide


def _house(street: Street, side: int, near: float, far: float, top: float, gable: bool) -> None:
    """One house: roof, the end towards the camera if its neighbour is lower, and the front."""
    x, back = side * street.wall, side * (street.wall + 9)
    if top < 9:
        ridge, tiles = ((x + back) / 2, top + street.between(2, 4.5)), street.pick(TILES)
        slope = (x, top, near), (x, top, far), (*ridge, far), (*ridge, near)
        street.paint(street.face(*slope), tiles, near, BUILDING, 0.9)
        end = street.face((x, top, near), (*ridge, near), (back, top, near))
        street.paint(end, tiles, near, BUILDING, 0.7)
    if gable:
        _facade(street, street.upright(x, back, 0, top, near), near, top, 0)
    front = street.face((x, 0, near), (x, top, near), (x, top, far), (x, 0, far))
    _facade(street, front, near, top, side)


def _facade(street: Street, stroke: Stroke, near: float, top: float, side: int) -> None:
    """A wall, along the street on this side of it, or (0) across it."""
    if not stroke.cover.size:
        return
    if near > 60:  # too far to tell its windows
        street.paint(stroke, street.pick(WALLS), near, BUILDING, 0.75)
        return
    rows, columns = centres(stroke)
    run = columns - street.middle
    if side:
        z = u = street.focal * street.wall / np.maximum(side * run, 1)
    else:
        z, u = np.full((1, 1), near, np.float32), run * (near / street.focal)
    kind = _windows(street, u, street.eye - (rows - street.horizon) * z / street.focal, top)
    wall = street.pick(WALLS)
    glow = street.lit(GLOW, 0, 1.6)
    panel = street.pick((DAY.top, *LEAVES, *PAINTS))
    trim = (wall[0] * 1.15, wall[1] * 1.15, wall[2] * 1.15)
    colors = (
        wall, trim, GLASS, glow, street.pick(PAINTS), street.pick(METALS), panel,
        street.pick((*SKINS, *PAINTS)),
    )  # fmt: skip
    sun = {0: 0.88, street.sunny: 1.05}.get(side, 1 - 0.8 * street.light.shadow)
    shade = np.float32(sun) * (0.85 + 0.3 * street.grain[stroke.rows, stroke.columns])
    street.canvas.paint(stroke, street.surface(colors, kind, shade, z), BUILDING)


def _windows(street: Street, u: Raster, v: Raster, top: float) -> Kinds:
    """What a wall shows at `u` metres along it and `v` metres up.

    Wall 0, trim 1, window 2, lit window 3, awning 4, door or pipe 5, poster 6 and its figure 7.
    """
    pitch, storey = street.between(1.8, 3.2), street.between(2.7, 3.4)
    i, j = np.floor(u / pitch), np.floor(v / storey)
    du, dv = np.abs(u / pitch - i - 0.5), np.abs(v / storey - j - 0.55) + (v > top - 0.6)
    wide, high = street.between(0.2, 0.4), street.between(0.22, 0.36)
    lamps = street.rng.random(64) < street.light.lamps
    lit = 2 + lamps[(i * 5 + j * 7).astype(np.intp) % 64]
    kind = ((du < wide + 0.05) & (dv < high + 0.05)).astype(np.intp)
    kind = np.where((du < wide) & (dv < high), lit, kind)
    kind = np.where((v > top - 0.4) | (np.abs(v - storey) < 0.12), 1, kind)
    if street.chance(0.4):  # a shop
        show = np.where((v > 0.5) & (du < 0.42), 2 + street.chance(street.light.lamps), 0)
        kind = np.where(v < storey - 0.2, np.where(v < storey - 0.9, show, 4), kind)
    else:
        kind = np.where((v < 2.2) & (np.abs(u / pitch % 4 - 1.5) < 0.22), 5, kind)
    if street.chance(0.5):
        kind = np.where(np.abs(u % 9 - 1) < 0.1, 5, kind)
    if street.chance(0.45):
        along, up = u % 14 - street.between(2, 12), v - street.between(1.8, 5)
        kind = np.where((np.abs(along) < 1) & (np.abs(up) < 1.2), 6, kind)
        kind = np.where(along * along + up * up < 0.5, 7, kind)
    return kind


def _tree(street: Street, x: float, z: float) -> None:
    """A trunk, and a crown of discs that is brighter towards the sun."""
    street.shadow(street.disc(x, 0, z, 0.25, 1.3))
    tall, scale = street.between(3.5, 8), street.focal / z
    street.paint(street.bar((x, 0), (x, tall * 0.7), z, street.between(0.2, 0.5)), BARK, z, TREE)
    spread, (row, column) = tall * street.between(0.2, 0.3), street.at(x, tall * 0.72, z)
    discs = [(row, column, spread * scale)]
    for _ in range(7):
        across, up = street.between(-1, 1) * spread, street.between(-0.7, 1) * spread
        size = spread * street.between(0.35, 0.65)
        discs.append((row - up * scale, column + across * scale, size * scale))
    crown = cloud(street.canvas.size, discs)
    rows, columns = centres(crown)
    slope = (street.sunny * (column - columns) + (row - rows)) / (4 * spread * scale)
    gain = np.clip(0.9 + slope, 0.5, 1.4) * (0.45 + 1.1 * street.grain[crown.rows, crown.columns])
    leaves = np.array(street.lit(street.pick(LEAVES), z), np.float32)
    street.canvas.paint(crown, leaves * gain[..., None], TREE)


def _pole(street: Street, x: float, z: float) -> None:
    """A street lamp, a traffic light or a sign."""
    kind, metal = street.pick("llts"), street.pick(METALS)
    top = street.between(4.5, 7.5) if kind == "l" else street.between(2.6, 3.6)
    paint = partial(street.paint, z=z, label=POLE)
    paint(street.bar((x, 0), (x, top), z, street.between(0.24, 0.38)), metal)
    if kind == "l":
        on, end = street.light.lamps > 0.3, x * street.between(0.7, 0.9)
        paint(street.bar((x, top), (end, top + 0.2), z, 0.2), metal)
        paint(street.disc(end, top + 0.1, z, 0.2, 0.55), GLOW if on else metal, gain=1 + on)
        if on:
            size = 1.6 * street.focal / z
            halo = glow(street.canvas.size, street.at(end, top, z), (size, size))
            street.canvas.tint(halo, GLOW, 0.6)
    elif kind == "t":
        place = street.pick((0, 1, 2))
        paint(street.upright(x - 0.28, x + 0.28, top - 1.2, top, z), BLACK)
        paint(street.disc(x, top - 0.98 + 0.38 * place, z, 0.17, 0.17), SIGNALS[place], gain=1.3)
    else:
        for radius, color in zip((0.5, 0.36), street.pick(SIGNS), strict=True):
            paint(street.disc(x, top, z, radius, radius), color)


def _person(street: Street, x: float, z: float) -> None:
    """Somebody who stands or walks: legs, arms, body, hair and face."""
    tall = street.between(1.6, 1.95) if street.chance(0.85) else street.between(1.0, 1.3)
    street.shadow(street.disc(x, 0, z, 0.1, 0.5))
    paint = partial(street.paint, z=z, label=PERSON)
    coat, trousers = street.pick(PAINTS), street.pick((*PAINTS, *METALS))
    stride, hip, shoulder = street.between(0.03, 0.2) * tall, 0.5 * tall, 0.8 * tall
    for step in (-1, 1):
        paint(street.bar((x, hip), (x + step * stride, 0), z, 0.11 * tall), trousers)
        arm, hand = x + 0.13 * tall * step, x + 0.13 * tall * step - step * stride
        paint(street.bar((arm, shoulder), (hand, hip - 0.03), z, 0.07 * tall), coat, gain=0.85)
    wide, waist = 0.12 * tall, (0.1 * tall, hip - 0.06)
    left, right = (x - waist[0], waist[1], z), (x + waist[0], waist[1], z)
    paint(street.face((x - wide, shoulder, z), (x + wide, shoulder, z), right, left), coat)
    hair = street.pick((BARK, BLACK, (0.75, 0.6, 0.35), (0.6, 0.6, 0.6)))
    paint(street.disc(x, 0.92 * tall, z, 0.085 * tall, 0.07 * tall), hair)
    paint(street.disc(x, 0.9 * tall, z, 0.06 * tall, 0.055 * tall), street.pick(SKINS))


def _traffic(street: Street) -> list[Thing]:
    """Cars in the lanes, parked ones at the kerb of a wide street, and now and then one across."""
    things: list[Thing] = []
    parking = street.half > 4.7
    for side in (-1, 1):
        for x, share in ((0.3 if parking else 0.5, 0.4), (1 - 1.1 / street.half, 0.5 * parking)):
            for z in _along(street, 6, 30, 8):
                if street.chance(share):
                    things.append((z, partial(_car, street, side * x * street.half, z, side > 0)))
    if len(things) < 2 or street.chance(0.2):
        z = street.between(8, 18)
        things.append((z, partial(_crossing_car, street, street.between(-3, 3), z)))
    return things


def _car(street: Street, x: float, z: float, away: bool) -> None:
    """A car or van along the street, seen from behind (`away`) or from the front."""
    wide, long, color = street.between(0.82, 0.95), street.between(3.6, 4.6), street.pick(PAINTS)
    seen = -1 if x > 0 else 1  # the flank that the camera sees
    paint = partial(street.paint, z=z, label=CAR)
    ground = (-wide - 0.2, -0.2), (wide + 0.2, -0.2), (wide + 0.2, long), (-wide - 0.2, long)
    street.shadow(street.face(*[(x + across, 0, z + back) for across, back in ground]))
    for tyre in (x - wide + 0.15, x + wide - 0.15):
        paint(street.upright(tyre - 0.13, tyre + 0.13, 0, 0.5, z), BLACK)
    for tone, gain, corners in _body(
        wide, long, away, street.between(1.4, 1.6), street.chance(0.2)
    ):
        face = [(x + seen * across, up, z + back) for across, up, back in corners]
        paint(street.face(*face), tone or color, gain=gain)
    lamp = (0.85, 0.08, 0.08) if away else WHITE
    for place in (x - wide + 0.2, x + wide - 0.2):
        paint(street.disc(place, 0.72, z, 0.1, 0.17), lamp, gain=1 + street.light.lamps)
    paint(street.upright(x - 0.26, x + 0.26, 0.44, 0.56, z), WHITE)


def _body(wide: float, long: float, away: bool, roof: float, van: bool) -> list[Panel]:
    """The outside of a car from below to above: (colour or None, gain, corners).

    Corners are (to the side that is seen, up, back) in metres from the foot of its near end.
    """
    belt, low, high = 0.95, wide - 0.06, wide - 0.2
    near, far = (0.1, long - 0.1) if van else (0.5, long - 1.2) if away else (1.2, long - 0.5)
    roof = roof + 0.7 * van

    def across(a: Corner, b: Corner) -> tuple[Corner, ...]:
        return a, b, (-b[0], b[1], b[2]), (-a[0], a[1], a[2])

    flank = (wide, 0.3, 0), (wide, belt, 0), (wide, belt, long), (wide, 0.3, long)
    wheels = [[(wide, 0.33 + up, end + b) for up, b in WHEEL] for end in (0.8, long - 0.8)]
    panes = (low, belt, near), (high, roof, near + 0.5), (high, roof, far - 0.4), (low, belt, far)
    return [
        (None, 0.75, flank),
        *[(BLACK, 1.0, wheel) for wheel in wheels],
        (None, 1.15, across((wide, belt, 0), (wide, belt, long))),
        (None, 1.0, across((wide, 0.3, 0), (wide, belt, 0))),
        (GLASS, 0.9, panes),
        (None, 1.15, across((high, roof, near + 0.5), (high, roof, far - 0.4))),
        (None, 0.95, across((low, belt, near), (high, roof, near + 0.5))),
        (GLASS, 1.2, across((low - 0.1, belt, near), (high - 0.06, roof - 0.09, near + 0.45))),
    ]


def _crossing_car(street: Street, x: float, z: float) -> None:
    """A car seen from its side."""
    color, ahead = street.pick(PAINTS), street.pick((-1, 1))
    paint = partial(street.paint, z=z, label=CAR)
    street.shadow(street.disc(x, 0.03, z, 0.2, 2.3))
    for tone, gain, outline in PROFILE:
        face = [(x + ahead * along, up, z) for along, up in outline]
        paint(street.face(*face), tone or color, gain=gain)
    for wheel in (x - 1.3, x + 1.3):
        paint(street.disc(wheel, 0.33, z, 0.35, 0.35), BLACK)
        paint(street.disc(wheel, 0.33, z, 0.18, 0.18), METALS[1])
    paint(street.disc(x + ahead * 1.98, 0.7, z, 0.09, 0.1), WHITE, gain=1 + street.light.lamps)


def _develop(street: Street) -> UInt8[np.ndarray, "H W 3"]:
    """The camera: blur, colour cast, contrast, sensor noise, and whole numbers in [0, 255]."""
    image = soften(street.canvas.image, street.between(0.06, 0.2))
    gain = street.between(0.8, 1.15)
    cast = np.array([gain * street.between(0.93, 1.07) for _ in range(3)], np.float32)
    image = (image - np.float32(0.5)) * cast + np.float32(street.between(0.45, 0.55))
    first, second = street.rng.random((2, *image.shape), np.float32)
    image += np.float32(street.between(0.02, 0.06)) * (first + second - 1)
    whole: UInt8[np.ndarray, "H W 3"]
    whole = (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return whole
