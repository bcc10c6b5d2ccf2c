"""COCO: instances (polygons and run lengths), stuff and panoptic annotations.

Instances: class 0 is the background, the categories follow in the order of their numbers. Crowds
are void, and so is the box of an object without an outline; both are painted below all other
objects, which are painted large before small. A photo without annotations is all background.
Stuff and panoptic: the classes are the categories; all other pixels are void.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fullconv.data.discovery.files import quoted, sample_name
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.problems import UNION, Problem, first_problem
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import refuse_unlabelled
from fullconv.data.formats.coco.annotations import Annotations, Image, read_file, without_root
from fullconv.data.formats.coco.instances import instances, stuff
from fullconv.data.formats.coco.panoptic import (
    SegmentFiles,
    map_folders,
    panoptic,
    scan_maps,
    segment_files,
)
from fullconv.data.formats.coco.recognition import (
    KINDS,
    find_files,
    has_coco_key,
    kind_of,
    looks_like_coco,
)
from fullconv.data.sample import Pair
from fullconv.errors import DataError

MAPS = "maps"
_COMPARED = 200  # photos of two files whose annotations are read, which takes time; else counted


def scan(source: str) -> Inventory:
    """List a folder with COCO's files, or the photos of one file.

    The splits are those in the files' names (instances_train2017.json), else lists such as
    splits/train.txt, or follow from the hash of the names.

    Args:
        source: "data/coco", "data/coco?kind=panoptic" (instances, panoptic, stuff, maps), or
            "data/coco/annotations/instances_val2017.json".

    Raises:
        DataError: there is no such file, more than one kind to choose from, or a file whose records
            contradict each other.
    """
    place, wanted = _parsed(source)
    folder, files = _files(place)
    kinds = {kind for path in files if (kind := kind_of(path))}
    kinds |= {MAPS} if map_folders(folder) else set()
    kind = wanted or _only(place, kinds)
    if kind == MAPS:
        return scan_maps(folder, files)
    read = [read_file(folder, path) for path in files if kind_of(path) in (None, kind)]
    kind = kind or _only(place, {part.kind for part in read})
    parts = without_root([part for part in read if part.kind == kind])
    if not parts:
        raise DataError(
            f"{place} holds {'only ' + ', '.join(sorted(kinds)) if kinds else 'no'} annotations of "
            "COCO",
            expected=f"e.g. annotations/{kind or 'instances'}_train.json",
        )
    _check_categories(parts)
    inventory = _inventory(folder, parts)
    if place.is_file():  # other photos belong to other files
        inventory.suffixes = ()
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether a JSON file is called or begins as COCO's are."""
    return folder.is_dir() and (
        any(looks_like_coco(path) for path in find_files(folder)) or bool(map_folders(folder))
    )


def _parsed(source: str) -> tuple[Path, str | None]:
    text, mark, kind = source.partition("?kind=")
    if mark and kind not in (*KINDS, MAPS):
        raise DataError(
            f"coco:{source}: the kind {kind!r} is not one of {', '.join((*KINDS, MAPS))}"
        )
    return Path(text), kind or None


def _files(place: Path) -> tuple[Path, list[Path]]:
    if place.is_file():
        above = place.parent
        return (above.parent if above.name == "annotations" else above), [place]
    files = find_files(place)
    whole = [path for path in files if looks_like_coco(path)]
    return place, whole or [path for path in files if has_coco_key(path)]


def _only(place: Path, kinds: Collection[str]) -> str | None:
    if len(kinds) < 2:
        return next(iter(kinds), None)
    names = sorted(kinds)
    ways = " or ".join(f"coco:{place}?kind={name}" for name in names)
    raise DataError(
        f"{place} holds {' and '.join(names)} annotations of COCO",
        remedy=f"say which: {ways}",
    )


def _check_categories(parts: Sequence[Annotations]) -> None:
    for part in parts[1:]:
        if part.categories != parts[0].categories:
            raise DataError(
                f"{part.path} and {parts[0].path} have different categories",
                expected="the same list in all files, so a class has one number",
            )


def _inventory(folder: Path, parts: Sequence[Annotations]) -> Inventory:
    problems = [error for part in parts for error in part.problems]
    if not any(part.images for part in parts):
        if problems:
            raise first_problem(problems)
        raise DataError("no images", expected="one record per photo", where=parts[0].path)
    files = segment_files(folder, parts) if parts[0].kind == "panoptic" else {}
    if parts[0].kind == "panoptic":
        inventory = panoptic(folder, parts, files)
    elif parts[0].kind == "stuff":
        inventory = stuff(folder, parts)
    else:
        inventory = instances(folder, parts)
    inventory.needed = "a record of every photo in a JSON file"
    labelled = {i.photo for part in parts for i in part.images.values() if len(i.positions)}
    for split in dict.fromkeys(part.split for part in parts if part.split):
        same = [part for part in parts if part.split == split]
        photos = [image.photo for part in same for image in part.images.values()]
        refuse_unlabelled(inventory, split, photos, labelled, "an annotation", same[0].path)
    found: list[Pair] = []
    for part in parts:
        inventory.bad_entries(part.problems, part.split)
        records = [
            Pair(sample_name(image.photo, folder), image.photo, image.path)
            for image in part.images.values()
        ]
        pairs, duplicates = unique(records)
        inventory.same_stems(duplicates, part.split)
        pairs = _with_segments(inventory, part, pairs, files) if files else pairs
        if part.split:
            inventory.splits.setdefault(part.split, []).extend(pairs)
        found += pairs
    for split, pairs in inventory.splits.items():
        inventory.splits[split], duplicates = unique(pairs)
        inventory.same_stems(duplicates, split)
    inventory.problems += _contradictions(parts)
    # A photo may be in several files, such as those of train and of a small part of it.
    pairs, duplicates = unique(found)
    inventory.same_stems(duplicates, UNION)
    if not all(part.split for part in parts):
        inventory.pairs = pairs
    if not inventory.splits:
        inventory.add_lists(pairs, find_lists(folder))
    return inventory


def _contradictions(parts: Sequence[Annotations]) -> Iterator[Problem]:
    """Yield a problem for each photo that another file annotates otherwise: one would be lost."""
    seen: dict[Path, tuple[Annotations, Image]] = {}
    compared = 0
    for part in parts:
        for image in part.images.values():
            first, other = seen.setdefault(image.photo, (part, image))
            if other is image:
                continue
            compared += 1
            if _same_annotations(other, image, compared <= _COMPARED):
                continue
            error = DataError(
                f"the photo {quoted(image.photo.name)} has other annotations than in {first.path}",
                expected="one record per photo, or equal annotations",
                remedy="join the two files, or remove one of them",
                where=part.path,
                code="list-line",
            )
            yield Problem(error, part.path, part.split if part.split == first.split else UNION)


def _same_annotations(first: Image, second: Image, thoroughly: bool) -> bool:
    """Return whether two records of a photo have as many annotations, or even the same ones."""
    if len(first.positions) != len(second.positions) or not thoroughly:
        return len(first.positions) == len(second.positions)
    keys = ("category_id", "segmentation", "iscrowd", "segments_info")

    def regions(image: Image) -> list[str]:
        return sorted(repr([one.get(key) for key in keys]) for one in image.annotations)

    return regions(first) == regions(second)


def _with_segments(
    inventory: Inventory, part: Annotations, pairs: Sequence[Pair], files: SegmentFiles
) -> list[Pair]:
    """Return pairs whose mask is the panoptic PNG instead of the JSON file."""
    found = [(pair, files[pair.photo, pair.mask]) for pair in pairs]
    inventory.bad_entries([file for _, file in found if isinstance(file, DataError)], part.split)
    return [replace(pair, mask=file) for pair, file in found if isinstance(file, Path)]


formats.register("coco")(
    Format(
        summary="COCO: annotations/instances_train.json (panoptic_, stuff_), images/",
        scan=scan,
        recognises=recognises,
    )
)
