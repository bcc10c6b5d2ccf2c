"""Labels drawn as shapes: the code that LabelMe, COCO, YOLO and CVAT share."""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from fullconv.config.network import MAX_CLASSES
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.problems import Problem
from fullconv.data.labels.classes import comparable
from fullconv.data.labels.patches import Size
from fullconv.data.labels.photo_fit import check_fit, check_reach
from fullconv.data.labels.rasterize import Layer, Rasterized, paint
from fullconv.data.labels.special_names import GROUND, IGNORE, is_background
from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError
from fullconv.io.images import decode_image, read_header, read_photo
from fullconv.io.palettes import VOID, Palette
from fullconv.units import count

# The width and radius, in pixels, of LabelMe's own export.
LINE_WIDTH = 10.0
POINT_RADIUS = 5.0


@dataclass(frozen=True)
class Drawing:
    """One photo and the shapes of its labels.

    Attributes:
        photo: its file, or the bytes of a photo embedded in the annotation.
        where: the annotation, for messages.
        size: (height, width) according to the annotation; None if it has none.
        layers: the size to paint in -> the shapes.
        relative: whether coordinates are shares of the photo's sides, which fit any size.
    """

    photo: Path | bytes
    where: str
    size: Size | None
    layers: Callable[[Size], Sequence[Layer]]
    relative: bool = False


@dataclass(frozen=True)
class DrawnReader:
    """Read a photo and paint its labels.

    Attributes:
        load: the drawing of a sample.
        ground: the label of pixels outside all shapes.
    """

    load: Callable[[Pair], Drawing]
    ground: int = 0

    def __call__(self, pair: Pair) -> Sample:
        """Read one sample.

        Raises:
            DataError: the photo or the drawing cannot be read, or they do not fit.
        """
        image, painted = _read(self.load(pair), self.ground)
        return Sample(image, painted.labels, pair.name)

    def painted(self, pair: Pair) -> Rasterized:
        """Return the labels, with how many pixels of which class are hidden by others."""
        return _read(self.load(pair), self.ground)[1]


def drawn_inventory(
    layout: str,
    folder: Path,
    classes: tuple[str, ...],
    palette: Palette,
    load: Callable[[Pair], Drawing],
    ground: int = 0,
) -> Inventory:
    """Return an inventory of drawn labels, to which pairs and problems are added."""
    return Inventory(
        folder,
        layout,
        lambda masks, read: (classes, palette, None),
        len(classes),
        read=DrawnReader(load, ground),
    )


def refuse_unlabelled(
    inventory: Inventory,
    split: str,
    photos: Sequence[Path],
    labelled: Set[Path],
    what: str,
    where: Path,
) -> None:
    """Add a problem if no photo of a split has labels, and others have: it would be background.

    The labels of a test split are often withheld.

    Args:
        inventory: takes the problem.
        split: a split on disk.
        photos: of the split.
        labelled: photos of all splits that have labels.
        what: labels, in words: "an annotation".
        where: the file or folder that should have them.
    """
    if not photos or not labelled or not labelled.isdisjoint(photos):
        return
    error = DataError(
        f"none of the {count(len(photos), 'photo')} of {split} has {what}",
        expected="labels: without any, every pixel would be background",
        remedy="add them, or remove the split if its labels are withheld",
        where=where,
        code="labels-missing",
    )
    inventory.problems.append(Problem(error, where, split))


def with_ground(
    names: Sequence[str], where: Path | str, ground: str = GROUND[1]
) -> tuple[str, ...]:
    """Return the classes, of which the first is the background: pixels outside all shapes.

    Args:
        names: in order; a background among them comes first, void is left out.
        where: the file that declares them, for messages.
        ground: the name of the background if it is not among `names`.

    Raises:
        DataError: a name twice, or more than 255 classes.
    """
    own = [name for name in names if is_background(name)]
    others = [name for name in names if name not in own and name != IGNORE]
    classes = (*(own or [ground]), *others)
    if len(own) > 1 or len({*map(comparable, classes)}) < len(classes):
        raise DataError(
            f"a class occurs twice, or with another case or other blanks, in {', '.join(classes)}",
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
    """Return the label of a class, or void for `__ignore__`.

    The background has several names, which all mean the first class, if that is one.

    Raises:
        DataError: it is not one of the classes.
    """
    if name == IGNORE:
        return VOID
    if is_background(name) and is_background(classes[0]):
        return 0
    if name not in classes:
        known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
        raise DataError(
            f"the class {name!r} is not one of {known}",
            remedy=remedy,
            where=where,
        )
    return classes.index(name)


@contextmanager
def locate_errors(where: str, remedy: str = "redraw or delete it") -> Iterator[None]:
    """Add a position and a remedy to every DataError raised inside."""
    try:
        yield
    except DataError as error:
        raise error.at(where, remedy) from error


def _read(drawing: Drawing, ground: int) -> tuple[Shaped[np.ndarray, "H W 3"], Rasterized]:
    if isinstance(drawing.photo, bytes):
        image, orientation = decode_image(drawing.photo, drawing.where), 1
        stored = image.shape[:2]
    else:
        header = read_header(drawing.photo)
        image, orientation, stored = read_photo(drawing.photo), header.orientation, header.stored
    shown = (image.shape[0], image.shape[1])
    size = drawing.size or shown
    if size not in (shown, stored):
        raise _wrong_size(drawing, size, shown)
    layers = drawing.layers(size)
    check_fit(layers, size)
    if drawing.size is None and not drawing.relative:
        check_reach(layers, size)
    painted = paint(layers, size, ground)
    if size == shown:
        return image, painted
    return image, replace(painted, labels=_orient(painted.labels, orientation))


def _orient(labels: UInt8[np.ndarray, "H W"], orientation: int) -> UInt8[np.ndarray, "h w"]:
    """Turn labels drawn on the photo as stored to its EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        labels = labels.T
    if orientation in (3, 4, 7, 8):
        labels = labels[::-1]
    if orientation in (2, 3, 6, 7):
        labels = labels[:, ::-1]
    return np.ascontiguousarray(labels)


def _short(number: int) -> str:
    return str(number) if abs(number) < 10**12 else f"{Decimal(number):.3g}"


def _wrong_size(drawing: Drawing, size: Size, shown: Size) -> DataError:
    photo = drawing.where if isinstance(drawing.photo, bytes) else drawing.photo
    return DataError(
        f"drawn on {_short(size[0])} x {_short(size[1])} pixels (height x width), but {photo} has "
        f"{shown[0]} x {shown[1]}",
        expected="the photo that was annotated",
        remedy="restore it, or scale the shapes",
        where=drawing.where,
    )
