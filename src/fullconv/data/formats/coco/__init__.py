"""COCO: instances (polygons and run lengths), stuff and panoptic annotations.

Instances: class 0 is the background, the categories follow in the order of their numbers. What is
marked as a crowd is void, and so is the box of an object that has no outline; both lie below all
others, which are painted large before small. A photo without annotations is all background.
Stuff and panoptic: the classes are the categories; pixels of none are void.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory, opened_inventory
from fullconv.data.discovery.layout import find_lists
from fullconv.data.discovery.pairing import Line, named
from fullconv.data.discovery.splits import listed, of_split, split_of
from fullconv.data.formats import Format, formats
from fullconv.data.formats.coco.annotations import (
    KINDS,
    Annotations,
    Chosen,
    file_split,
    find_files,
    kind_of,
    looks_like_coco,
    read_file,
)
from fullconv.data.formats.coco.instances import instances, stuff
from fullconv.data.formats.coco.panoptic import map_folders, maps, panoptic
from fullconv.data.sample import Data
from fullconv.errors import DataError

MAPS = "maps"
_BUILD = {"instances": instances, "stuff": stuff, "panoptic": panoptic}


def open_coco(source: str, split: str | None) -> Data:
    """Open a folder with COCO's files, or one of the files.

    Args:
        source: "data/coco", "data/coco?kind=panoptic" (instances, panoptic, stuff, maps), or
            "data/coco/annotations/instances_val2017.json".
        split: as the files are called (instances_train2017.json), else by splits/train.txt and the
            like, or by the hash of the names.

    Raises:
        DataError: no such file, more than one kind to choose from, or records that do not fit.
    """
    return _opened(source, split, None)


def inventory(source: str) -> Inventory:
    """The photos of COCO's files, and what is wrong with the records that name them.

    Raises:
        DataError: no such file, more than one kind to choose from, or records that do not fit.
    """
    faulty: list[Line] = []
    folder, files = _files(_parsed(source)[0])
    stock = opened_inventory("coco", folder, lambda split: _opened(source, split, faulty))
    stock.bad_lines += dict.fromkeys(faulty)
    named = any(file_split(path) for path in files)
    stock.divided = named or bool(map_folders(folder) or find_lists(folder))
    return stock


def _opened(source: str, split: str | None, faulty: list[Line] | None) -> Data:
    place, wanted = _parsed(source)
    folder, files = _files(place)
    kinds = {kind for path in files if (kind := kind_of(path))}
    kinds |= {MAPS} if map_folders(folder) else set()
    kind = wanted or _only(place, kinds)
    if kind == MAPS:
        return maps(source, folder, files, split)
    read = [read_file(folder, path, faulty) for path in files if kind_of(path) in (None, kind)]
    kind = kind or _only(place, {part.kind for part in read})
    parts = [part for part in read if part.kind == kind]
    if not parts:
        raise DataError(
            f"{place} holds {('only ' + ', '.join(sorted(kinds)) if kinds else 'no')} annotations "
            "of COCO",
            expected=f"e.g. annotations/{kind or 'instances'}_train.json",
        )
    return _data(source, split, folder, parts, faulty)


def recognises(folder: Path) -> bool:
    """Whether a JSON file is called or begins as COCO's are."""
    return folder.is_dir() and (
        any(looks_like_coco(path) for path in find_files(folder)) or bool(map_folders(folder))
    )


def _parsed(source: str) -> tuple[Path, str | None]:
    text, mark, kind = source.partition("?kind=")
    if mark and kind not in (*KINDS, MAPS):
        raise DataError(f"coco:{source}: the kind {kind!r} is none of {', '.join((*KINDS, MAPS))}")
    return Path(text), kind or None


def _files(place: Path) -> tuple[Path, list[Path]]:
    if place.is_file():
        above = place.parent
        return (above.parent if above.name == "annotations" else above), [place]
    return place, [path for path in find_files(place) if looks_like_coco(path)]


def _only(place: Path, kinds: Collection[str]) -> str | None:
    if len(kinds) < 2:
        return next(iter(kinds), None)
    names = sorted(kinds)
    ways = " or ".join(f"coco:{place}?kind={name}" for name in names)
    raise DataError(
        f"{place} holds {' and '.join(names)} annotations of COCO",
        remedy=f"say which: {ways}",
    )


def _data(
    source: str,
    split: str | None,
    folder: Path,
    parts: Sequence[Annotations],
    faulty: list[Line] | None,
) -> Data:
    for part in parts[1:]:
        if part.categories != parts[0].categories:
            raise DataError(
                f"{part.path} and {parts[0].path} have different categories",
                expected="one list in all files, so that a class has one number",
            )
    own = sorted(parts, key=lambda part: split is not None and part.split == split_of(split))
    images = {image.photo: image for part in own for image in part.images.values()}
    if not images:
        path, what = (faulty or [(parts[0].path, "no images")])[0]
        raise DataError(
            what,
            expected="one record for each photo that is there",
            where=path,
        )
    pairs = named(((image.photo, image.path) for image in images.values()), folder)
    index = {pair.photo: number for number, pair in enumerate(pairs)}
    declared: dict[str, list[int]] = {}
    for part in parts:
        if part.split:
            numbers = [index[image.photo] for image in part.images.values()]
            declared[part.split] = sorted({*declared.get(part.split, []), *numbers})
    pairs = of_split(folder, split, pairs, declared or listed(folder, pairs, faulty))
    kept = {pair.photo: images[pair.photo] for pair in pairs}
    chosen = Chosen(source, split, folder, pairs, kept, parts[0].categories, faulty)
    return _BUILD[parts[0].kind](chosen, parts)


formats.register("coco")(
    Format(
        summary="COCO: annotations/instances_train.json (panoptic_, stuff_), images/",
        open=open_coco,
        recognises=recognises,
        inventory=inventory,
    )
)
