"""CVAT for images 1.1: annotations.xml and the photos. Tags have no pixels and are left out."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from fullconv.colors import Color, Palette
from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.formats._cvat_shapes import layer_of, numbers_of
from fullconv.formats._drawn import (
    Drawing,
    blamed,
    drawn_data,
    drawn_stock,
    with_ground,
)
from fullconv.formats._files import located
from fullconv.formats._inventory import Inventory
from fullconv.formats._pairs import Line, Pair, name_of, named, unique
from fullconv.formats._splits import listed, of_split, split_of
from fullconv.formats._xml import read_xml
from fullconv.sample import Data, default_palette
from fullconv.shapes import (
    Layer,
    Size,
)

NAME = "annotations.xml"

_SILENT = ("tag", "attribute")


def open_cvat(source: str, split: str | None) -> Data:
    """Open an export "CVAT for images 1.1".

    Args:
        source: the folder with annotations.xml, and the photos in it or in images/.
        split: a subset of CVAT (Train, Validation, Test), a list such as splits/train.txt, or by
            the hash of the names.

    Raises:
        DataError: the file is not such an export, a photo is missing, or there is no such split.
    """
    folder = Path(source)
    root, faulty = _root(folder), list[Line]()
    images = _images(folder, root, faulty)
    for path, sentence in faulty:
        raise DataError(
            f"{path}: {sentence}; expected one <image> for each photo, and the photos in images/: "
            'export with "Save images", or copy them there'
        )
    pairs = named(((photo, folder / NAME) for photo in images), folder)
    classes, palette = _classes(root, folder / NAME)
    declared = _subsets(images, pairs) or listed(folder, pairs)
    chosen = of_split(folder, split, pairs, declared)
    load = partial(_drawing, images=images, classes=classes)
    return drawn_data(source, split, chosen, classes, palette, load)


def inventory(source: str) -> Inventory:
    """The photos of an export, and what is wrong with the entries that name them.

    Raises:
        DataError: the file is not such an export, or names no photo that is there.
    """
    folder = Path(source)
    root, faulty = _root(folder), list[Line]()
    images = _images(folder, root, faulty)
    pairs, doubles = unique(Pair(name_of(photo, folder), photo, folder / NAME) for photo in images)
    pairs.sort(key=lambda pair: pair.name)
    classes, palette = _classes(root, folder / NAME)
    load = partial(_drawing, images=images, classes=classes)
    stock = drawn_stock("cvat", folder, classes, palette, load)
    stock.lines, stock.doubles = faulty, doubles
    stock.add(pairs, _subsets(images, pairs) or listed(folder, pairs, faulty))
    return stock


def recognises(folder: Path) -> bool:
    """Whether there is an annotations.xml with CVAT's root element."""
    path = folder / NAME
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"<annotations>" in stream.read(4096)


def _root(folder: Path) -> Element:
    root = read_xml(folder / NAME)
    if root.find("track") is not None:
        raise DataError(
            f"{folder / NAME}: tracks of a video; expected pictures: export it from CVAT as "
            '"CVAT for images 1.1"'
        )
    if root.find("image") is None:
        raise DataError(f"{folder / NAME}: no <image>; expected one <image> for each photo")
    return root


def _images(folder: Path, root: Element, faulty: list[Line]) -> dict[Path, Element]:
    """The photos that are there; `faulty` takes the others, and those that are named twice."""
    images: dict[Path, Element] = {}
    for image in root.findall("image"):
        name = image.get("name", "")
        photo = _photo(folder, image)
        if photo is None:
            faulty.append((folder / NAME, f"the photo {name!r} is not under {folder}"))
        elif photo in images:
            faulty.append((folder / NAME, f"two <image> of one photo, {name!r}"))
        else:
            images[photo] = image
    return images


def _photo(folder: Path, image: Element) -> Path | None:
    name, subset = image.get("name", ""), image.get("subset", "")
    places = [(folder / "images" / subset), folder / "images", folder]
    return next((path for place in places if (path := located(place, name))), None)


def _classes(root: Element, path: Path) -> tuple[tuple[str, ...], Palette]:
    colors: dict[str, Color | None] = {}
    for label in root.iterfind("meta//label"):
        name = label.findtext("name")
        if name and label.find("parent") is None:  # a part of a skeleton has a parent
            colors[name] = _color(label.findtext("color"))
    shapes = [shape for image in root.findall("image") for shape in image]
    names = list(colors) or sorted({shape.get("label", "") for shape in shapes} - {""})
    classes = with_ground(names, path)
    own = [colors.get(name) for name in classes]
    given = [color for color in [own[0] or (0, 0, 0), *own[1:]] if color]
    whole = len(given) == len(classes) and len(set(given)) == len(given)
    return classes, tuple(given) if whole else default_palette(classes)


def _color(text: str | None) -> Color | None:
    if not text or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _subsets(images: dict[Path, Element], pairs: Sequence[Pair]) -> dict[str, list[int]]:
    subsets: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        split = split_of(images[pair.photo].get("subset", ""))
        if split is None:
            return {}
        subsets.setdefault(split, []).append(index)
    return subsets


def _drawing(pair: Pair, images: dict[Path, Element], classes: tuple[str, ...]) -> Drawing:
    image = images[pair.photo]
    where = f"{pair.mask}: image {image.get('name')!r}"
    shapes = [shape for shape in image if shape.tag not in _SILENT]

    def layers(size: Size) -> list[Layer]:
        return [
            layer_of(shape, f"{where}: {shape.tag} {number}", classes, size)
            for number, shape in enumerate(shapes)
        ]

    with blamed(where, "export it from CVAT again"):
        height, width = (int(number) for number in numbers_of(image, "height", "width"))
        return Drawing(pair.photo, where, (height, width), layers)


formats.register("cvat")(
    Format(
        summary="CVAT for images 1.1: annotations.xml, images/",
        open=open_cvat,
        recognises=recognises,
        inventory=inventory,
    )
)
