"""Photos whose labels are drawn as shapes: what LabelMe, COCO, YOLO and CVAT have in common."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.labels.rasterize import Layer, Painted, Size, paint
from fullconv.data.labels.tables import MAX_CLASSES
from fullconv.data.sample import Data, Pair, Sample
from fullconv.errors import DataError
from fullconv.io.images import decode_image, read_header, read_image
from fullconv.io.palettes import VOID, Palette

IGNORE = "__ignore__"  # LabelMe's name of what counts neither as a class nor as background
# What LabelMe's own export draws: lines of 10 pixels, points with a radius of 5.
LINE_WIDTH = 10.0
POINT_RADIUS = 5.0
GROUND = ("_background_", "background", "__background__")


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
        return drawn_sample(self.pairs[index], self.load, self.ground)

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


def drawn_sample(pair: Pair, load: Callable[[Pair], Drawing], ground: int = 0) -> Sample:
    """One photo with what is drawn on it.

    Raises:
        DataError: the photo or the drawing cannot be read, or they do not fit.
    """
    image, painted = _read(load(pair), ground)
    return Sample(image, painted.labels, pair.name)


def drawn_stock(
    layout: str,
    folder: Path,
    classes: tuple[str, ...],
    palette: Palette,
    load: Callable[[Pair], Drawing],
    ground: int = 0,
) -> Inventory:
    """An inventory of drawn labels, to which pairs and faults are added."""
    return Inventory(
        folder,
        layout,
        lambda masks, read: (classes, palette, None),
        len(classes),
        read=partial(drawn_sample, load=load, ground=ground),
    )


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
        raise DataError(
            f"a class stands there twice, of {', '.join(classes)}",
            remedy="rename it",
            where=where,
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{len(classes)} classes with the background",
            expected=f"at most {MAX_CLASSES}, which fit into 8-bit labels",
            remedy="join or drop some",
            where=where,
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
        raise DataError(
            f"the class {name!r} is none of {known}",
            remedy=remedy,
            where=where,
        )
    return classes.index(name)


@contextmanager
def blamed(where: str, remedy: str = "draw it anew or delete it") -> Iterator[None]:
    """Say of an error inside where it is, and what to do."""
    try:
        yield
    except DataError as error:
        raise error.at(where, remedy) from error


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
        raise _wrong_size(drawing, size, shown)
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


def _wrong_size(drawing: Drawing, size: Size, shown: Size) -> DataError:
    photo = drawing.where if isinstance(drawing.photo, bytes) else drawing.photo
    return DataError(
        f"drawn on {size[0]} x {size[1]} pixels (height x width), but the photo {photo} has "
        f"{shown[0]} x {shown[1]}",
        expected="the photo that was drawn on",
        remedy="put it back, or scale the shapes with it",
        where=drawing.where,
    )
