"""CVAT for images 1.1: annotations.xml and the photos. Tags have no pixels and are left out."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from fullconv.data.discovery.claims import photos_of_claims
from fullconv.data.discovery.files import inner_parts, locate_in, quoted, sample_name
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import find_lists, split_from_name
from fullconv.data.discovery.pairing import unique
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import (
    LINE_WIDTH,
    POINT_RADIUS,
    Drawing,
    drawn_inventory,
    label_of,
    locate_errors,
    refuse_unlabelled,
    with_ground,
)
from fullconv.data.labels import rasterize
from fullconv.data.labels.patches import Patch, Size
from fullconv.data.labels.rasterize import Layer, Points, parse_points
from fullconv.data.labels.run_lengths import decode_run_lengths
from fullconv.data.sample import Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import Color, Palette
from fullconv.io.text import read_xml

NAME = "annotations.xml"

_SILENT = ("tag", "attribute")
_DEFAULT = "default"  # CVAT's subset of images that are in no other


def scan(source: str) -> Inventory:
    """List the photos of an export "CVAT for images 1.1", which are in its folder or in images/.

    The splits are CVAT's subsets (Train, Validation, Test), or lists such as splits/train.txt, or
    follow from the hash of the names.

    Raises:
        DataError: annotations.xml is not such an export.
    """
    folder = Path(source)
    root = _root(folder)
    images, errors = _images(folder, root)
    found = (Pair(sample_name(photo, folder), photo, folder / NAME) for photo in images)
    pairs, duplicates = unique(found)
    classes, palette = _classes(root, folder / NAME)
    load = partial(_drawing, images=images, classes=classes)
    inventory = drawn_inventory("cvat", folder, classes, palette, load)
    inventory.pairs = pairs
    inventory.needed = f"an <image> of every photo in {NAME}"
    inventory.bad_entries(errors, None)
    inventory.same_stems(duplicates)
    labelled = {photo for photo, image in images.items() if _shapes(image)}
    if subsets := _subsets(images, pairs):
        inventory.add_parts(pairs, subsets)
        for split, part in subsets.items():
            photos = [pairs[index].photo for index in part]
            refuse_unlabelled(inventory, split, photos, labelled, "a shape", folder / NAME)
    else:
        inventory.add_lists(pairs, find_lists(folder))
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether there is an annotations.xml with CVAT's root element."""
    path = folder / NAME
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"<annotations>" in stream.read(4096)


def _root(folder: Path) -> Element:
    root = read_xml(folder / NAME)
    if root.find("track") is not None:
        raise DataError(
            "tracks of a video",
            expected="images",
            remedy='export it from CVAT as "CVAT for images 1.1"',
            where=folder / NAME,
        )
    if root.find("image") is None:
        raise DataError(
            "no <image>",
            expected="one <image> for each photo",
            where=folder / NAME,
        )
    return root


def _images(folder: Path, root: Element) -> tuple[dict[Path, Element], list[DataError]]:
    """Return the photos that exist, and the errors of those that are missing or named twice."""
    images: dict[Path, Element] = {}
    errors = []
    elements = root.findall("image")
    names = [f"{image.get('subset', '')}/{image.get('name', '')}" for image in elements]
    claims = [(name, _photo(folder, one)) for name, one in zip(names, elements, strict=True)]
    for image, photo in zip(elements, photos_of_claims(claims), strict=True):
        name = image.get("name", "")
        if photo is None:
            errors.append(_entry_error(folder, f"the photo {quoted(name)} is not under {folder}"))
        elif photo in images:
            errors.append(_entry_error(folder, f"two <image> of one photo, {quoted(name)}"))
        else:
            images[photo] = image
    return images, errors


def _entry_error(folder: Path, found: str) -> DataError:
    return DataError(
        found,
        expected="one <image> per photo, and the photos in images/",
        remedy='export with "Save images", or copy them there',
        where=folder / NAME,
        code="list-line",
    )


def _photo(folder: Path, image: Element) -> Path | None:
    name, subset = image.get("name", ""), image.get("subset", "")
    images = folder / "images"
    return locate_in((images.joinpath(*inner_parts(subset)), images, folder), name)


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
    palette = [color for color in [own[0] or (0, 0, 0), *own[1:]] if color]
    complete = len(palette) == len(classes) and len(set(palette)) == len(palette)
    return classes, tuple(palette) if complete else default_palette(classes)


def _color(text: str | None) -> Color | None:
    if not text or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _subsets(images: dict[Path, Element], pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """Return the indices of each subset; {} if none has the name of a split.

    Images that are in no subset are in CVAT's default one; beside train they are in no split.
    """
    names = [images[pair.photo].get("subset", "") for pair in pairs]
    usual = {name: split for name in names if (split := split_from_name(name))}
    if not usual:
        return {}
    subsets: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        unset = name.casefold() in ("", _DEFAULT)
        if not (unset and "train" in usual.values()):
            split = _DEFAULT if unset else usual.get(name, name)
            subsets.setdefault(split, []).append(index)
    return subsets


def _drawing(pair: Pair, images: dict[Path, Element], classes: tuple[str, ...]) -> Drawing:
    image = images[pair.photo]
    where = f"{pair.mask}: image {image.get('name')!r}"
    shapes = _shapes(image)

    def layers(size: Size) -> list[Layer]:
        return [
            layer_of(shape, f"{where}: {shape.tag} {number}", classes, size)
            for number, shape in enumerate(shapes)
        ]

    with locate_errors(where, "export it from CVAT again"):
        height, width = (int(number) for number in numbers_of(image, "height", "width"))
        return Drawing(pair.photo, where, (height, width), layers)


def _shapes(image: Element) -> list[Element]:
    """Return the shapes of an image; tags have no pixels."""
    return [shape for shape in image if shape.tag not in _SILENT]


formats.register("cvat")(
    Format(
        summary="CVAT for images 1.1: annotations.xml, images/",
        scan=scan,
        recognises=recognises,
    )
)


def layer_of(shape: Element, where: str, classes: tuple[str, ...], size: Size) -> Layer:
    """Return one shape of an image, painted on `size` (height, width) pixels.

    Raises:
        DataError: it cannot be drawn, or its class is not declared.
    """
    remedy = "correct it in CVAT and export again"
    label = label_of(shape.get("label", ""), classes, where, remedy)
    with locate_errors(where, remedy):
        if shape.tag not in _DRAW:
            raise DataError(f"a shape that is not one of {', '.join(_DRAW)}")
        order = int(numbers_of(shape, "z_order")[0]) if "z_order" in shape.attrib else 0
        return Layer(_DRAW[shape.tag](shape, size), label, order, where)


def numbers_of(element: Element, *names: str) -> list[float]:
    """Return attributes as finite numbers.

    Raises:
        DataError: one is missing, or not a finite number.
    """
    try:
        values = [_number(element.attrib[name]) for name in names]
    except KeyError as error:
        raise DataError(f"no {error.args[0]!r}") from error
    except ValueError as error:
        raise DataError(f"{', '.join(names)} should be numbers ({error})") from error
    if not np.isfinite(values).all():
        raise DataError(f"{', '.join(names)} should be finite numbers")
    return values


def _number(text: str) -> float:
    if "_" in text:  # which Python takes for a separator
        raise ValueError(f"{text[:40]!r}")
    return float(text)


def _points(shape: Element, least: int) -> Points:
    text = shape.get("points", "")
    if "_" in text:
        raise DataError("points that are not pairs of numbers")
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    return parse_points(pairs, least)[:, ::-1]  # CVAT's order is (column, row)


def _box(shape: Element, size: Size) -> Patch:
    left, top, right, bottom = numbers_of(shape, "xtl", "ytl", "xbr", "ybr")
    corners = parse_points([(top, left), (top, right), (bottom, right), (bottom, left)])
    middle = np.array([(top + bottom) / 2, (left + right) / 2])
    down, across = (corners - middle).T
    sine, cosine = _turn(shape)
    turned = np.stack([down * cosine + across * sine, across * cosine - down * sine], 1)
    return rasterize.polygon([middle + turned], size)


def _turn(shape: Element) -> tuple[float, float]:
    """Return sine and cosine of a clockwise rotation; exact if there is none."""
    angle = numbers_of(shape, "rotation")[0] if "rotation" in shape.attrib else 0.0
    return float(np.sin(np.deg2rad(angle))), float(np.cos(np.deg2rad(angle)))


def _ellipse(shape: Element, size: Size) -> Patch:
    column, row, across, down = numbers_of(shape, "cx", "cy", "rx", "ry")
    angle = numbers_of(shape, "rotation")[0] if "rotation" in shape.attrib else 0.0
    return rasterize.ellipse((row, column), (down, across), size, angle)


def _mask(shape: Element, size: Size) -> Patch:
    left, top, width, height = (int(n) for n in numbers_of(shape, "left", "top", "width", "height"))
    counts = shape.get("rle", "").split(",")
    if min(width, height) < 1 or width * height > size[0] * size[1]:
        raise DataError(f"a mask of {height} x {width} pixels (height x width)")
    return rasterize.bitmap(
        decode_run_lengths(counts, (height, width), by_columns=False), (top, left), size
    )


_DRAW: dict[str, Callable[[Element, Size], Patch]] = {
    "polygon": lambda shape, size: rasterize.polygon([_points(shape, 3)], size),
    "polyline": lambda shape, size: rasterize.line(_points(shape, 2), LINE_WIDTH, size),
    "points": lambda shape, size: rasterize.dots(_points(shape, 1), POINT_RADIUS, size),
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}
