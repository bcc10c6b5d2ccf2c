"""COCO: instances (polygons and run lengths), stuff and panoptic annotations.

Instances: class 0 is the background, the categories follow in the order of their numbers. What is
marked as a crowd is void, and so is the box of an object that has no outline; both lie below all
others, which are painted large before small. A photo without annotations is all background.
Stuff and panoptic: the classes are the categories; pixels of none are void.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.formats._coco import (
    KINDS,
    Annotations,
    Chosen,
    find_files,
    kind_of,
    looks_like_coco,
    read_file,
)
from fullconv.formats._coco_pixels import map_folders, maps, panoptic
from fullconv.formats._coco_shapes import instances, stuff
from fullconv.formats._pairs import named
from fullconv.formats._splits import listed, of_split
from fullconv.sample import Data

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
    place, wanted = _parsed(source)
    folder, files = _files(place)
    kinds = {kind for path in files if (kind := kind_of(path))}
    kinds |= {MAPS} if map_folders(folder) else set()
    kind = wanted or _only(place, kinds)
    if kind == MAPS:
        return maps(source, folder, files, split)
    read = [read_file(folder, path) for path in files if kind_of(path) in (None, kind)]
    kind = kind or _only(place, {part.kind for part in read})
    parts = [part for part in read if part.kind == kind]
    if not parts:
        raise DataError(
            f"{place} holds {'only ' + ', '.join(sorted(kinds)) if kinds else 'no'} annotations of "
            f"COCO; expected e.g. annotations/{kind or 'instances'}_train.json"
        )
    return _data(source, split, folder, parts)


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
    raise DataError(f"{place} holds {' and '.join(names)} annotations of COCO; say which: {ways}")


def _data(source: str, split: str | None, folder: Path, parts: Sequence[Annotations]) -> Data:
    for part in parts[1:]:
        if part.categories != parts[0].categories:
            raise DataError(
                f"{part.path} and {parts[0].path} have different categories; expected one list in "
                "all files, so that a class has one number"
            )
    images = {image.photo: image for part in parts for image in part.images.values()}
    if not images:
        raise DataError(f"{parts[0].path}: no images; expected one record for each photo")
    pairs = named(((image.photo, image.path) for image in images.values()), folder)
    index = {pair.photo: number for number, pair in enumerate(pairs)}
    declared: dict[str, list[int]] = {}
    for part in parts:
        if part.split:
            numbers = [index[image.photo] for image in part.images.values()]
            declared[part.split] = sorted({*declared.get(part.split, []), *numbers})
    pairs = of_split(folder, split, pairs, declared or listed(folder, pairs))
    kept = {pair.photo: images[pair.photo] for pair in pairs}
    chosen = Chosen(source, split, folder, pairs, kept, parts[0].categories)
    return _BUILD[parts[0].kind](chosen, parts)


formats.register("coco")(
    Format(
        summary="COCO: annotations/instances_train.json (panoptic_, stuff_), images/",
        open=open_coco,
        recognises=recognises,
    )
)
