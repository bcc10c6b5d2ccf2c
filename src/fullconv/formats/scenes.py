"""scenes:N, street scenes that this file draws itself, so that a demo needs no download.

A scene is a pure function of (seed, index, height, width). A pinhole camera stands in a street;
what stands there is measured in metres (x to the right, y up, z away from the camera) and painted
from far to near, so the labels are exact: each pixel belongs to what was painted last at it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from fullconv.brushes import (
    Canvas,
    Point,
    Size,
    Stroke,
    blank,
    centres,
    cloud,
    ellipse,
    everything,
    line,
    noise,
    polygon,
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
    (70, 130, 180), (70, 70, 70), (128, 64, 128), (107, 142, 35), (0, 0, 142), (220, 20, 60), (153, 153, 153),
)  # fmt: skip
MOST = 1_000_000  # scenes of one data set; the test scenes follow, so no train split holds them

Color = tuple[float, float, float]
Thing = tuple[float, Callable[[], None]]
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
        lamps: share of windows and lamps that are lit.
    """

    top: Color
    low: Color
    gain: Color
    shadow: float
    lamps: float


DAY = Light((0.32, 0.54, 0.86), (0.80, 0.89, 0.96), (1.04, 1.00, 0.95), 0.45, 0.0)
GREY = Light((0.60, 0.63, 0.68), (0.82, 0.83, 0.84), (0.82, 0.85, 0.88), 0.15, 0.1)
DUSK = Light((0.36, 0.36, 0.60), (0.98, 0.70, 0.48), (0.84, 0.66, 0.58), 0.30, 0.5)
NIGHT = Light((0.06, 0.08, 0.18), (0.22, 0.21, 0.32), (0.40, 0.40, 0.52), 0.20, 0.8)
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
LEAVES = ((0.20, 0.42, 0.14), (0.30, 0.50, 0.16), (0.14, 0.34, 0.20), (0.42, 0.48, 0.16), (0.74, 0.44, 0.12))
SKINS = ((0.92, 0.74, 0.62), (0.78, 0.56, 0.42), (0.52, 0.34, 0.24), (0.36, 0.24, 0.18))
METALS = ((0.25, 0.27, 0.28), (0.52, 0.54, 0.55), (0.16, 0.26, 0.22), (0.40, 0.36, 0.32))
BARK = (0.34, 0.25, 0.18)
GLASS = (0.20, 0.27, 0.33)
RUBBER = (0.07, 0.07, 0.08)
GLOW = (1.0, 0.86, 0.55)


@dataclass(frozen=True)
class Street:
    """What all things of one scene share: canvas, chance, light, and the camera.

    Attributes:
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
    grain: np.ndarray

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

    def face(self, *corners: tuple[float, float, float]) -> Stroke:
        """A flat convex surface, by its corners (x, y, z)."""
        return polygon(self.canvas.size, [self.at(*corner) for corner in corners])

    def upright(self, left: float, right: float, bottom: float, top: float, z: float) -> Stroke:
        """A rectangle that faces the camera."""
        return self.face((left, bottom, z), (left, top, z), (right, top, z), (right, bottom, z))

    def disc(self, x: float, y: float, z: float, high: float, wide: float) -> Stroke:
        """An ellipse that faces the camera; its radii are in metres."""
        scale = self.focal / z
        return ellipse(self.canvas.size, self.at(x, y, z), (high * scale, wide * scale))

    def bar(self, start: Point, end: Point, z: float, thick: float) -> Stroke:
        """A bar that faces the camera, from one (x, y) to another; at least two pixels thick."""
        a, b = self.at(*start, z), self.at(*end, z)
        return line(self.canvas.size, a, b, max(thick * self.focal / z, self.canvas.size[0] / 60))

    def lit(self, color: Color, z: float, gain: float = 1) -> Color:
        """A surface's colour in this light, seen through the haze of `z` metres."""
        air = z / (z + 220)
        r, g, b = (
            (1 - air) * gain * own * light + air * haze
            for own, light, haze in zip(color, self.light.gain, self.light.low, strict=True)
        )
        return r, g, b

    def paint(self, stroke: Stroke, color: Color, z: float, label: int, gain: float = 1) -> None:
        """Paint a surface at distance `z`."""
        self.canvas.paint(stroke, self.lit(color, z, gain), label)


def _street(rng: np.random.Generator, size: Size) -> Street:
    height, width = size
    scale = (height * width * 4 / 3) ** 0.5  # the width, for pictures of 3 to 4

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    half = between(3.4, 6.0)
    fine, coarse = noise(rng, size, scale / 100), noise(rng, size, scale / 16)
    return Street(
        canvas=blank(size),
        rng=rng,
        light=LIGHTS[int(rng.integers(len(LIGHTS)))],
        horizon=height * between(0.42, 0.54),
        middle=width * between(0.36, 0.64),
        focal=scale * between(0.8, 1.05),
        eye=between(1.6, 2.6),
        half=half,
        wall=half + between(2.0, 4.0),
        sunny=1 if rng.random() < 0.5 else -1,
        grain=np.float32(0.6) * fine + np.float32(0.4) * coarse,
    )


def _paint_sky(street: Street) -> None:
    """A gradient, haze around the sun, and clouds that thin out towards the horizon."""
    light, (height, width) = street.light, street.canvas.size
    sky = everything((height, width))
    rows, columns = centres(sky)
    down = np.minimum(rows / street.horizon, 1)[..., None]
    color = np.array(light.top, np.float32) * (1 - down) + np.array(light.low, np.float32) * down
    sun = street.between(0, width), street.between(-0.3, 0.4) * height
    far = ((columns - sun[0]) ** 2 + (rows - sun[1]) ** 2) / (0.3 * width) ** 2
    color = color + (0.35 * light.shadow / (1 + 4 * far))[..., None]
    shape = noise(street.rng, (height, width), width / 5) + noise(street.rng, (height, width), width / 14)
    cloud = np.clip(shape * street.between(0.8, 2.2) - street.between(0.8, 1.6), 0, 0.7)[..., None]
    white = np.array(light.low, np.float32) * street.between(0.8, 1.1)
    street.canvas.paint(sky, color + cloud * (1 - 0.6 * down) * (white - color), SKY)


def _paint_ground(street: Street) -> None:
    """Asphalt and pavement with their markings, joints, patches and puddles; all of it is road."""
    height, width = street.canvas.size
    top = int(street.horizon) + 1
    ground = Stroke(slice(top, height), slice(0, width), np.ones((height - top, width), np.float32))
    rows, columns = centres(ground)
    z = street.focal * street.eye / (rows - street.horizon)
    x = (columns - street.middle) * z / street.focal
    aside, grain = np.abs(x), street.grain[top:]
    asphalt, paving = street.between(0.26, 0.46), street.between(0.46, 0.66)
    warm = street.between(-0.03, 0.03)
    colors = np.array(
        [
            (asphalt + warm, asphalt, asphalt - warm),
            (paving + 0.04, paving, paving - 0.05),
            (0.85, 0.85, 0.80),
            (0.66, 0.66, 0.65),
            street.pick(((0.52, 0.26, 0.22), (0.26, 0.42, 0.28), (0.24, 0.32, 0.48))),
            (paving - 0.1, paving - 0.12, paving - 0.15),
            (0.30, 0.42, 0.18),
        ],
        np.float32,
    )  # asphalt, paving, paint, kerb, coloured lane, joint, verge
    kind = np.where(aside < street.half, 0, 1)
    joints = (aside > street.half) & ((z % 1.2 < 0.1) | (aside % 1.2 < 0.07)) & (z < 14)
    kind[joints] = 5
    if street.chance(0.3):
        kind[aside > street.half + 1.1 if street.chance(0.5) else aside > street.wall - 0.8] = 6
    if street.chance(0.3):
        side = street.pick((-1, 1))
        kind[(side * x > street.half - 1.6) & (side * x < street.half)] = 4
    dashes = (aside < 0.09) & (z % 6 < street.pick((3, 6)))
    edges = (np.abs(aside - street.half + 0.5) < 0.07) if street.chance(0.5) else dashes
    kind[dashes | edges] = 2
    if street.chance(0.4):
        start = street.between(5, 14)
        stripes = (z > start) & (z < start + 3) & (aside < street.half - 0.3) & ((x + 50) % 1 < 0.5)
        kind[stripes] = 2
    kind[np.abs(aside - street.half) < 0.14] = 3
    shade = 0.78 + 0.44 * grain
    bounds = street.between(-0.4, 1.3) * street.half
    shade = shade * np.where(-street.sunny * x > bounds, 1 - street.light.shadow, 1)
    air = (z / (z + 220))[..., None]
    gain, haze = np.array(street.light.gain, np.float32), np.array(street.light.low, np.float32)
    color = colors[kind] * shade[..., None] * gain
    if street.chance(0.3):  # puddles, with the sky in them
        wet = np.clip(8 * noise(street.rng, grain.shape, width / 9) - 5.6, 0, 0.7)[..., None]
        color += wet * (np.array(street.light.top, np.float32) - color)
    street.canvas.paint(ground, color + air * (haze - color), ROAD)


def _things(street: Street) -> list[Thing]:
    """Everything that stands in the street, with its distance in metres."""
    things = [*_houses(street), *_traffic(street)]
    kerb = street.half + 0.5
    spacing = street.between(7, 16)
    leafy = street.between(0.1, 0.9)
    for side in (-1, 1):
        z = street.between(5, 12)
        while z < 60:
            if street.chance(leafy):
                things.append((z, partial(_tree, street, side * (kerb + 0.4), z)))
            z += spacing * street.between(0.7, 1.3)
    for side in (-1, 1):
        z = street.between(5, 13)
        while z < 50:
            things.append((z, partial(_pole, street, side * kerb, z)))
            z += street.between(7, 18)
    for _ in range(3 + int(street.between(0, 4))):
        z = street.between(5.5, 16)
        reach = min(0.42 * street.canvas.size[1] / street.focal * z, street.wall - 0.4)
        x = street.between(-reach, reach)
        things.append((z, partial(_person, street, x, z)))
    return things


def _houses(street: Street) -> list[Thing]:
    things: list[Thing] = []
    for side in (-1, 1):
        z = street.between(1.5, 6)
        tall = street.between(5, 13)
        while z < 90:
            depth = street.between(6, 16)
            top = tall * street.between(0.7, 1.4)
            if street.chance(0.88):
                # Behind all that stands on the street: + 200 keeps their own order.
                things.append((z + 200, partial(_house, street, side, z, z + depth, top)))
            else:
                things.append((z + 200, partial(_tree, street, side * (street.wall + 2), z + 3)))
            z += depth + (street.between(2, 6) if street.chance(0.2) else 0)
    if street.chance(0.6):
        things.append((399, partial(_backdrop, street)))
    return things


def _backdrop(street: Street) -> None:
    """Where the street ends: trees or houses across it."""
    x, green = -40.0, street.chance(0.5)
    z = street.between(60, 100)
    while x < 40:
        wide = street.between(6, 14)
        if green:
            leaves = street.pick(LEAVES)
            street.paint(street.disc(x, 3, z, street.between(4, 7), wide), leaves, z, TREE, 0.8)
        else:
            top = street.between(6, 16)
            _facade(street, street.upright(x, x + wide, 0, top, z), z, top, 0)
        x += wide


def _house(street: Street, side: int, near: float, far: float, top: float) -> None:
    """One house: its gable end, then the front along the street."""
    x, back = side * street.wall, side * (street.wall + 9)
    if top < 9:
        ridge = (x + back) / 2, top + street.between(2, 4.5)
        tiles = street.pick(((0.50, 0.24, 0.18), (0.28, 0.28, 0.32), (0.42, 0.34, 0.28)))
        slope = (x, top, near), (x, top, far), (*ridge, far), (*ridge, near)
        street.paint(street.face(*slope), tiles, near, BUILDING, 0.9)
        gable = street.face((x, top, near), (*ridge, near), (back, top, near))
        street.paint(gable, tiles, near, BUILDING, 0.7)
    _facade(street, street.upright(min(x, back), max(x, back), 0, top, near), near, top, 0)
    front = street.face((x, 0, near), (x, top, near), (x, top, far), (x, 0, far))
    _facade(street, front, near, top, side)


def _facade(street: Street, stroke: Stroke, near: float, top: float, side: int) -> None:
    """A wall with windows, a shop or doors, pipes and posters; `side` 0 faces the camera."""
    if not stroke.cover.size:
        return
    rows, columns = centres(stroke)
    run = columns - street.middle
    if side:
        z = street.focal * street.wall / np.maximum(side * run, 1)
        u = z
    else:
        z = np.full_like(run, near)
        u = run * (near / street.focal)
    v = street.eye - (rows - street.horizon) * z / street.focal
    wall = street.pick(WALLS)
    pitch, storey = street.between(1.8, 3.2), street.between(2.7, 3.4)
    wide, high = street.between(0.2, 0.4), street.between(0.22, 0.36)
    i, j = np.floor(u / pitch), np.floor(v / storey)
    du, dv = np.abs(u / pitch - i - 0.5), np.abs(v / storey - j - 0.55)
    kind = np.zeros(v.shape, np.intp)
    frame = (du < wide + 0.05) & (dv < high + 0.05) & (v < top - 0.5)
    window = (du < wide) & (dv < high) & (v < top - 0.5)
    kind[frame] = 1
    table = street.rng.random(64) < street.light.lamps
    lamp = table[(i.astype(np.intp) * 5 + j.astype(np.intp) * 7) % 64]
    kind[window] = np.where(lamp, 3, 2)[window]
    kind[(v > top - 0.4) | (np.abs(v - storey) < 0.12)] = 1
    if street.chance(0.4):  # a shop
        kind[(v < storey - 0.2)] = 0
        shop = (v < storey - 0.9) & (v > 0.5) & (du < 0.42)
        kind[shop] = 3 if street.chance(street.light.lamps) else 2
        kind[np.broadcast_to((v > storey - 0.9) & (v < storey - 0.2), kind.shape)] = 4
    else:  # a door
        kind[(v < 2.2) & (np.abs(u / pitch % 4 - 1.5) < 0.22)] = 5
    if street.chance(0.5):
        kind[np.broadcast_to(np.abs(u - near - 0.3) < 0.1, kind.shape)] = 5
    if street.chance(0.45):  # a poster
        start, bottom = near + street.between(0.5, 4), street.between(0.6, 4)
        poster = (np.abs(u - start - 1) < 1) & (np.abs(v - bottom - 1.2) < 1.2)
        kind[poster] = 6
        kind[((u - start - 1) ** 2 + (v - bottom - 1.2) ** 2) < 0.5] = 7
    trim = tuple(min(c * 1.2, 1) for c in wall)
    colors = np.array(
        [
            wall, trim, GLASS, GLOW, street.pick(PAINTS), street.pick(METALS),
            street.pick((DAY.top, *LEAVES, *PAINTS)), street.pick((*SKINS, *PAINTS)),
        ],
        np.float32,
    )  # fmt: skip
    gains = np.ones((8, 1), np.float32) * np.array(street.light.gain, np.float32)
    gains[3] = 0.9
    sun = {0: 0.88, street.sunny: 1.05}.get(side, 1 - 0.8 * street.light.shadow)
    shade = sun * (0.85 + 0.3 * street.grain[stroke.rows, stroke.columns])
    color = (colors * gains)[kind] * np.where(kind == 3, 1, shade)[..., None]
    air = (np.minimum(z, 100) / (np.minimum(z, 100) + 220))[..., None]
    haze = np.array(street.light.low, np.float32)
    street.canvas.paint(stroke, (color + air * (haze - color)).astype(np.float32), BUILDING)


def _tree(street: Street, x: float, z: float) -> None:
    """A trunk, and a crown of discs; or a conifer."""
    _shadow(street, x, z, 1.2)
    tall, leaves = street.between(3.5, 8), street.pick(LEAVES)
    trunk = street.between(0.12, 0.25)
    street.paint(street.bar((x, 0), (x, tall * 0.7), z, 2 * trunk), BARK, z, TREE)
    scale = street.focal / z
    spread = tall * street.between(0.2, 0.3)
    discs = [(x, tall * 0.72, spread)]
    for _ in range(7):
        dx, dy = street.between(-1, 1) * spread, street.between(-0.7, 1) * spread
        discs.append((x + dx, tall * 0.72 + dy, spread * street.between(0.35, 0.65)))
    crown = cloud(street.canvas.size, [(*street.at(px, py, z), r * scale) for px, py, r in discs])
    rows, columns = centres(crown)
    row, column = street.at(x, tall * 0.72, z)
    slope = (street.sunny * (column - columns) + (row - rows)) / (4 * spread * scale)
    grain = street.grain[crown.rows, crown.columns]
    gain = np.clip(0.9 + slope, 0.5, 1.4) * (0.45 + 1.1 * grain)
    color = np.array(street.lit(leaves, z), np.float32) * gain[..., None]
    street.canvas.paint(crown, color.astype(np.float32), TREE)


def _shadow(street: Street, x: float, z: float, wide: float) -> None:
    """What keeps the light from the ground at a thing's foot."""
    stroke = street.disc(x - street.sunny * wide * 0.4, 0, z, 0.18 * wide, wide)
    street.canvas.tint(stroke, (0.05, 0.05, 0.07), 0.2 + street.light.shadow, only=ROAD)


def _pole(street: Street, x: float, z: float) -> None:
    """A street lamp, a traffic light or a sign."""
    metal, kind = street.pick(METALS), street.rng.random()
    thick = street.between(0.14, 0.24)
    inward = -1.0 if x > 0 else 1.0
    top = street.between(4.5, 7.5) if kind < 0.5 else street.between(2.6, 3.6)
    street.paint(street.bar((x, 0), (x, top), z, thick), metal, z, POLE)
    if kind < 0.5:
        reach = x + inward * street.between(0.5, 1.6)
        street.paint(street.bar((x, top), (reach, top + 0.2), z, 0.12), metal, z, POLE)
        lit = street.light.lamps > 0.3
        street.paint(street.disc(reach, top + 0.1, z, 0.14, 0.4), GLOW if lit else metal, z, POLE, 2.0 if lit else 1)
        if lit:
            street.canvas.tint(street.disc(reach, top, z, 1.2, 1.2), GLOW, 0.25)
    elif kind < 0.75:
        street.paint(street.upright(x - 0.2, x + 0.2, top - 1, top, z), (0.1, 0.1, 0.1), z, POLE)
        on = int(street.between(0, 3))
        color = ((0.2, 0.9, 0.4), (1.0, 0.75, 0.1), (1.0, 0.15, 0.1))[on]
        street.paint(street.disc(x, top - 0.82 + 0.32 * on, z, 0.13, 0.13), color, z, POLE, 1.3)
    else:
        ring, plate = street.pick((((0.8, 0.1, 0.1), (0.95, 0.95, 0.95)), ((0.9, 0.9, 0.9), (0.1, 0.3, 0.7)), ((0.95, 0.95, 0.9), (0.95, 0.75, 0.1))))
        street.paint(street.disc(x, top, z, 0.42, 0.42), ring, z, POLE)
        street.paint(street.disc(x, top, z, 0.3, 0.3), plate, z, POLE)


def _person(street: Street, x: float, z: float) -> None:
    """Somebody who stands or walks: legs, body, arms, head and hair."""
    tall = street.between(1.6, 1.95) if street.chance(0.85) else street.between(1.0, 1.3)
    _shadow(street, x, z, 0.5)
    coat, trousers = street.pick(PAINTS), street.pick((*PAINTS, *METALS))
    skin, hair = street.pick(SKINS), street.pick((BARK, RUBBER, (0.75, 0.6, 0.35), (0.6, 0.6, 0.6)))
    stride, sway = street.between(0.03, 0.2) * tall, street.between(-0.1, 0.1) * tall
    paint = partial(street.paint, z=z, label=PERSON)
    hip, shoulder = 0.5 * tall, 0.8 * tall
    for step in (-stride, stride):
        paint(street.bar((x, hip), (x + step, 0), z, 0.11 * tall), trousers)
        arm = x + 0.13 * tall * (1 if step > 0 else -1)
        paint(street.bar((arm, shoulder), (arm - step + sway, hip - 0.03), z, 0.07 * tall), coat, gain=0.85)
    side = 0.12 * tall
    body = (x - side, shoulder, z), (x + side, shoulder, z), (x + 0.1 * tall, hip - 0.06, z), (x - 0.1 * tall, hip - 0.06, z)
    paint(street.face(*body), coat)
    paint(street.disc(x, 0.92 * tall, z, 0.085 * tall, 0.07 * tall), hair)
    paint(street.disc(x + 0.1 * sway, 0.9 * tall, z, 0.06 * tall, 0.055 * tall), skin)


def _traffic(street: Street) -> list[Thing]:
    things: list[Thing] = []
    roomy = street.half > 4.7
    for side in (-1, 1):
        lanes = [(side * street.half * (0.3 if roomy else 0.5), 0.45)]
        if roomy:
            lanes.append((side * (street.half - 1.1), 0.7))
        for x, share in lanes:
            z = street.between(6, 14)
            while z < 45:
                if street.chance(share):
                    things.append((z, partial(_car, street, x, z, away=side > 0)))
                z += street.between(6, 12)
    if len(things) < 2 or street.chance(0.2):
        z = street.between(8, 18)
        things.append((z, partial(_crossing_car, street, street.between(-3, 3), z)))
    return things


def _car(street: Street, x: float, z: float, away: bool) -> None:
    """A car or van that drives along the street, seen from behind (`away`) or from the front."""
    van = street.chance(0.2)
    half, roof = street.between(0.82, 0.95), street.between(2.0, 2.5) if van else street.between(1.4, 1.6)
    belt, far, color = 0.95, z + street.between(3.6, 4.6), street.pick(PAINTS)
    ground = (x - half - 0.2, 0, z - 0.2), (x + half + 0.2, 0, z - 0.2), (x + half + 0.2, 0, far), (x - half - 0.2, 0, far)
    street.canvas.tint(street.face(*ground), (0.03, 0.03, 0.04), 0.75, only=ROAD)
    flank = x - half if x > 0 else x + half
    for wheel in (z + 0.8, far - 0.8):
        row, column = street.at(flank, 0.33, wheel)
        up, across = 0.36 * street.focal / wheel, abs(street.at(flank, 0, wheel - 0.36)[1] - column)
        street.paint(ellipse(street.canvas.size, (row, column), (up, max(across, 0.5))), RUBBER, z, CAR)
    for tyre in (x - half + 0.16, x + half - 0.16):
        street.paint(street.upright(tyre - 0.13, tyre + 0.13, 0, 0.5, z), RUBBER, z, CAR)
    start, end = (z + 0.1, far - 0.05) if van else ((z + 0.5, far - 1.2) if away else (z + 1.2, far - 0.5))
    _block(street, (x - half, x + half), (0.3, belt), (z, far), (color, color, color))
    inner = half - 0.06, half - 0.2
    _cabin(street, x, inner, (belt, roof), (start, end), color)
    lamp = ((0.85, 0.08, 0.08) if away else (0.98, 0.96, 0.86))
    for place in (x - half + 0.2, x + half - 0.2):
        street.paint(street.disc(place, 0.72, z, 0.1, 0.17), lamp, z, CAR, 1 + street.light.lamps)
    street.paint(street.upright(x - half, x + half, 0.28, 0.42, z), RUBBER, z, CAR, 3)
    street.paint(street.upright(x - 0.26, x + 0.26, 0.46, 0.58, z), (0.9, 0.9, 0.85), z, CAR)


def _block(street: Street, xs: Point, ys: Point, zs: Point, colors: tuple[Color, Color, Color]) -> None:
    """A box of a car: top, flank, front."""
    (left, right), (bottom, top), (near, far) = xs, ys, zs
    flank = left if left + right > 0 else right
    street.paint(street.face((left, top, near), (right, top, near), (right, top, far), (left, top, far)), colors[0], near, CAR, 1.15)
    street.paint(street.face((flank, bottom, near), (flank, top, near), (flank, top, far), (flank, bottom, far)), colors[1], near, CAR, 0.75)
    street.paint(street.upright(left, right, bottom, top, near), colors[2], near, CAR)


def _cabin(street: Street, x: float, half: Point, ys: Point, zs: Point, color: Color) -> None:
    """The glass of a car between belt and roof, which is narrower."""
    (low, high), (bottom, top), (near, far) = half, ys, zs
    flank = -1 if x > 0 else 1
    side = (x + flank * low, bottom, near), (x + flank * high, top, near + 0.5), (x + flank * high, top, far - 0.4), (x + flank * low, bottom, far)
    street.paint(street.face(*side), GLASS, near, CAR, 0.9)
    street.paint(street.face((x - high, top, near + 0.5), (x + high, top, near + 0.5), (x + high, top, far - 0.4), (x - high, top, far - 0.4)), color, near, CAR, 1.15)
    screen = (x - low, bottom, near), (x - high, top, near + 0.5), (x + high, top, near + 0.5), (x + low, bottom, near)
    street.paint(street.face(*screen), color, near, CAR, 0.95)
    a, b = low - 0.1, high - 0.06
    glass = (x - a, bottom + 0.04, near), (x - b, top - 0.09, near + 0.5), (x + b, top - 0.09, near + 0.5), (x + a, bottom + 0.04, near)
    street.paint(street.face(*glass), GLASS, near, CAR, 1.2)


def _crossing_car(street: Street, x: float, z: float) -> None:
    """A car seen from its side."""
    color, ahead = street.pick(PAINTS), street.pick((-1, 1))

    def shape(*corners: Point) -> Stroke:
        return street.face(*[(x + ahead * along, up, z) for along, up in corners])

    street.canvas.tint(street.disc(x, 0.03, z, 0.2, 2.3), (0.03, 0.03, 0.04), 0.75, only=ROAD)
    street.paint(shape((-1.5, 0.85), (-1.0, 1.42), (0.4, 1.42), (1.2, 0.85)), color, z, CAR, 1.05)
    street.paint(shape((-1.3, 0.9), (-0.9, 1.32), (-0.3, 1.32), (-0.3, 0.9)), GLASS, z, CAR)
    street.paint(shape((-0.2, 0.9), (-0.2, 1.32), (0.35, 1.32), (0.95, 0.9)), GLASS, z, CAR)
    street.paint(shape((-2.1, 0.3), (-2.15, 0.8), (-1.8, 0.95), (1.2, 0.92), (2.05, 0.75), (2.1, 0.3)), color, z, CAR, 0.9)
    for wheel in (x - 1.3, x + 1.3):
        street.paint(street.disc(wheel, 0.33, z, 0.35, 0.35), RUBBER, z, CAR)
        street.paint(street.disc(wheel, 0.33, z, 0.18, 0.18), (0.6, 0.6, 0.62), z, CAR)
    street.paint(street.disc(x + ahead * 1.98, 0.7, z, 0.09, 0.1), (0.98, 0.96, 0.8), z, CAR, 1 + street.light.lamps)


def _develop(street: Street) -> np.ndarray:
    """The camera: blur, colour cast, contrast, sensor noise, and whole numbers in [0, 255]."""
    image = soften(street.canvas.image, street.between(0.06, 0.2))
    cast = np.array([street.between(0.93, 1.07) for _ in range(3)], np.float32)
    contrast = np.float32(street.between(0.8, 1.15))
    image = (image * cast - np.float32(0.5)) * contrast + np.float32(0.5 + street.between(-0.05, 0.05))
    image += np.float32(street.between(0.008, 0.035)) * street.rng.standard_normal(image.shape, np.float32)
    return (np.clip(image, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
