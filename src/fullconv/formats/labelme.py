"""LabelMe: one JSON file a photo, with everything that its tool can draw.

A photo without a JSON file is not annotated yet and does not belong to the data set. The classes
are those of labels.txt or, where there is none, the sorted names of all files: never of one.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

from fullconv.colors import Palette
from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.formats._classes import ClassList, declared_classes
from fullconv.formats._drawn import GROUND, Drawing, blamed, drawn_data, drawn_stock, with_ground
from fullconv.formats._files import located
from fullconv.formats._inventory import Inventory
from fullconv.formats._labelme_shapes import decoded, layer_of, name_of_shape, shapes_of
from fullconv.formats._pairs import Pair, name_of, named, unique
from fullconv.formats._splits import listed, of_split
from fullconv.formats._texts import entry, read_json
from fullconv.sample import Data, default_palette
from fullconv.shapes import Layer, Size


def open_labelme(source: str, split: str | None) -> Data:
    """Open a folder of LabelMe files, with its sub-folders.

    Args:
        source: the folder.
        split: "train", "val", ... by splits/train.txt and the like, or by the hash of the names.

    Raises:
        DataError: there are no such files, a file is broken, or there is no such split.
    """
    folder = Path(source)
    files = _annotations(folder)
    pairs = named(((path, path) for path in files), folder)
    classes, palette = _classes_and_palette(folder, files)
    chosen = of_split(folder, split, pairs, listed(folder, pairs))
    load = partial(_drawing, folder=folder, classes=classes)
    return drawn_data(source, split, chosen, classes, palette, load)


def inventory(source: str) -> Inventory:
    """The files of LabelMe and of the lists; the classes are those of the files that can be read.

    Raises:
        DataError: there are no such files, or none can be read.
    """
    folder = Path(source)
    files = _annotations(folder)
    pairs, doubles = unique(Pair(name_of(path, folder), path, path) for path in files)
    classes, palette = _classes_and_palette(folder, files, whole=False)
    load = partial(_drawing, folder=folder, classes=classes)
    stock = drawn_stock("labelme", folder, classes, palette, load)
    stock.files, stock.doubles = False, doubles
    pairs.sort(key=lambda pair: pair.name)
    stock.add(pairs, listed(folder, pairs, stock.lines))
    return stock


def recognises(folder: Path) -> bool:
    """Whether a JSON file begins as LabelMe's do; where there are masks, they count instead."""
    if not folder.is_dir() or (folder / "masks").is_dir():
        return False
    first = next(folder.rglob("*.json"), None)
    if first is None:
        return False
    with first.open("rb") as stream:
        head = stream.read(65536)
    return any(key in head for key in (b'"shapes"', b'"imagePath"', b'"imageData"'))


def _annotations(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*.json"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise DataError(f"{folder} holds no .json file; expected those that LabelMe saves")
    return found


def _is_whole(path: Path) -> bool:
    try:
        return all(name_of_shape(shape, where) for shape, where in shapes_of(path))
    except DataError:  # reading the sample will say so
        return False


def _classes_and_palette(
    folder: Path, files: Sequence[Path], whole: bool = True
) -> tuple[tuple[str, ...], Palette]:
    """The classes; unless `whole`, files that cannot be read do not count if others can."""
    declared = declared_classes(folder)
    if not (whole or declared):
        files = [*filter(_is_whole, files)] or files
    classes = _classes(folder, declared, files)
    same = declared and declared.classes == classes
    return classes, declared.palette if declared and same else default_palette(classes)


def _classes(folder: Path, declared: ClassList | None, files: Sequence[Path]) -> tuple[str, ...]:
    if declared:
        return with_ground(declared.classes, declared.where, GROUND[0])
    names = {name_of_shape(shape, where) for path in files for shape, where in shapes_of(path)}
    return with_ground(sorted(names), folder, GROUND[0])


def _drawing(pair: Pair, folder: Path, classes: tuple[str, ...]) -> Drawing:
    path = pair.mask
    content = read_json(path)
    shapes = list(shapes_of(path, content))

    def layers(size: Size) -> list[Layer]:
        return [layer_of(shape, where, classes, size) for shape, where in shapes]

    height, width = content.get("imageHeight"), content.get("imageWidth")
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return Drawing(_photo(path, content, folder), str(path), size, layers)


def _photo(path: Path, content: dict[str, Any], folder: Path) -> Path | bytes:
    text = entry(content, "imagePath", str, str(path)).replace("\\", "/")
    for form in ("NFC", "NFD"):  # macOS writes "ü" as two characters, Linux as one
        name = normalize(form, text)
        beside = (path.parent / name).resolve()
        # A photo may lie beside the folder ("../images/a.jpg"), but not anywhere on the disk.
        if beside.is_relative_to(folder.resolve().parent) and beside.is_file():
            return beside
        found = located(path.parent, name) or located(folder, name)
        if found:
            return found
    embedded = content.get("imageData")
    if not isinstance(embedded, str):
        raise DataError(
            f"{path}: its photo {text!r} is not there and not in the file either; "
            "put the photo beside the .json file"
        )
    with blamed(f"{path}: imageData", "put the photo beside the .json file"):
        return decoded(embedded)


formats.register("labelme")(
    Format(
        summary="LabelMe's .json files, one a photo",
        open=open_labelme,
        recognises=recognises,
        inventory=inventory,
    )
)
