"""Photos whose labels are drawn as shapes: what LabelMe, COCO, YOLO and CVAT have in common."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from fullconv.colors import Palette
from fullconv.errors import DataError
from fullconv.formats._classes import text_of
from fullconv.formats._pairs import Pair
from fullconv.images import decode_image, read_header, read_image
from fullconv.labels import MAX_CLASSES
from fullconv.sample import VOID, Data, Sample
from fullconv.shapes import Layer, Painted, Size, paint

IGNORE = "__ignore__"  # LabelMe's name of what counts neither as a class nor as background
# What LabelMe's own export draws: lines of 10 pixels, points with a radius of 5.
LINE_WIDTH = 10.0
POINT_RADIUS = 5.0
GROUND = ("_background_", "background", "__background__")

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Drawing:
    """One photo, and how its labels are painted.

    Attributes:
        photo: its file, or the bytes of a photo that is part of the annotation.
        where: the annotation, for messages.
        size: height and width that the annotation says; None where it says nothing.
        layers: the size to paint in -> the shapes.
    """

    photo: Path | bytes
    where: str
    size: Size | None
    layers: Callable[[Size], Sequence[Layer]]


@dataclass(frozen=True)
class Reader:
    """Index -> Sample; what `Data.read` is for drawn labels.

    Attributes:
        pairs: photo, annotation and name of each sample.
        load: what is drawn on one of them.
        ground: the label of pixels in no shape.
    """

    pairs: tuple[Pair, ...]
    load: Callable[[Pair], Drawing]
    ground: int = 0

    def __call__(self, index: int) -> Sample:
        """The sample at `index`."""
        pair = self.pairs[index]
        image, painted = _read(self.load(pair), self.ground)
        return Sample(image, painted.labels, pair.name)

    def painted(self, index: int) -> Painted:
        """The labels at `index`, with how many pixels of which class are hidden by others."""
        return _read(self.load(self.pairs[index]), self.ground)[1]


def drawn_data(
    source: str,
    split: str | None,
    pairs: Sequence[Pair],
    classes: tuple[str, ...],
    palette: Palette,
    load: Callable[[Pair], Drawing],
    ground: int = 0,
) -> Data:
    """The data set of these pairs."""
    names = tuple(pair.name for pair in pairs)
    return Data(source, split, classes, palette, names, Reader(tuple(pairs), load, ground))


def with_ground(
    names: Sequence[str], where: Path | str, ground: str = GROUND[1]
) -> tuple[str, ...]:
    """The classes, of which the first is the background: pixels in no shape.

    Args:
        names: in order; a background among them comes first, void is left out.
        where: what declares them.
        ground: what the background is called where it is not among them.

    Raises:
        DataError: a name twice, or more than 255 classes.
    """
    own = [name for name in names if name.casefold() in GROUND]
    others = [name for name in names if name not in own and name != IGNORE]
    classes = (*(own or [ground]), *others)
    if len(own) > 1 or len({*classes}) < len(classes):
        raise DataError(f"{where}: a class stands there twice, of {', '.join(classes)}; rename it")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{where}: {len(classes)} classes with the background; at most {MAX_CLASSES} fit into "
            "8-bit labels: join or drop some"
        )
    return classes


def label_of(name: str, classes: Sequence[str], where: str, remedy: str) -> int:
    """The label of a class, or void for `__ignore__`.

    Raises:
        DataError: it is none of the classes.
    """
    if name == IGNORE:
        return VOID
    if name.casefold() in GROUND:
        return 0
    if name not in classes:
        known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
        raise DataError(f"{where}: the class {name!r} is none of {known}; {remedy}")
    return classes.index(name)


@contextmanager
def blamed(where: str, remedy: str = "draw it anew or delete it") -> Iterator[None]:
    """Say of an error inside where it is, and what to do."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{where}: {error}; {remedy}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        DataError: it is not readable as JSON, or holds something else.
    """
    try:
        content = json.loads(text_of(path))
    except RecursionError as error:
        raise DataError(f"{path}: JSON that is nested too deep to be annotations") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: broken JSON ({error.msg} in line {error.lineno}, column {error.colno}); "
            "export it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror or error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: JSON without an object in braces; expected annotations")
    return content


def entry(record: object, key: str, kind: type[Kind], where: str) -> Kind:
    """The entry of a JSON object that must be there and of one type.

    Raises:
        DataError: it is not.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "missing" if value is None else f"{str(value)[:40]!r}"
        raise DataError(f"{where}: {key!r} is {found}; expected {_KINDS[kind]}")
    return value


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}


def _read(drawing: Drawing, ground: int) -> tuple[UInt8[np.ndarray, "H W 3"], Painted]:
    if isinstance(drawing.photo, bytes):
        image, orientation = decode_image(drawing.photo, drawing.where), 1
        stored = image.shape[:2]
    else:
        header = read_header(drawing.photo)
        image, orientation, stored = read_image(drawing.photo), header.orientation, header.stored
    shown = (image.shape[0], image.shape[1])
    size = drawing.size or shown
    if size not in (shown, stored):
        raise DataError(_sizes(drawing, size, shown))
    painted = paint(drawing.layers(size), size, ground)
    if size == shown:
        return image, painted
    return image, replace(painted, labels=_turned(painted.labels, orientation))


def _turned(labels: UInt8[np.ndarray, "H W"], orientation: int) -> UInt8[np.ndarray, "h w"]:
    """Labels drawn on the photo as stored, turned as its EXIF orientation says."""
    if orientation in (5, 6, 7, 8):
        labels = labels.T
    if orientation in (3, 4, 7, 8):
        labels = labels[::-1]
    if orientation in (2, 3, 6, 7):
        labels = labels[:, ::-1]
    return np.ascontiguousarray(labels)


def _sizes(drawing: Drawing, size: Size, shown: Size) -> str:
    photo = drawing.where if isinstance(drawing.photo, bytes) else drawing.photo
    return (
        f"{drawing.where}: drawn on {size[0]} x {size[1]} pixels (height x width), but the photo "
        f"{photo} has {shown[0]} x {shown[1]}; expected the photo that was drawn on: put it back, "
        "or scale the shapes with it"
    )
