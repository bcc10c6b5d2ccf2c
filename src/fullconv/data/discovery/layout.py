"""Find the folders of images and masks and the split lists by their customary names."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.data.discovery.files import (
    IMAGE_FOLDERS,
    LABELS_BESIDE,
    MAX_PATH,
    first_few,
    has_images,
    inner_parts,
    locate,
    locate_in,
    locate_place,
    quoted,
)
from fullconv.data.discovery.list_files import find_lists, folder_split
from fullconv.data.discovery.lists import SplitList, lists_pairs, read_lists
from fullconv.data.labels.classes import YAML_FILES
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES
from fullconv.io.text import read_yaml
from fullconv.io.visible import visible

MASK_FOLDERS = (
    *("masks", "mask", "ann_dir", "annotations", "annotation", "labels", "label"),
    *("segmentationclass", "segmentationclasspng", "gt", "gts", "ground_truth", "groundtruth"),
)


@dataclass(frozen=True)
class ParallelFolders:
    """Two parallel folders.

    Attributes:
        split: the split that their names or dataset.yaml give; None if there is none.
        images: the folder of the images.
        masks: the folder of the masks.
        base: what the names of samples are relative to.
        only: the images that a list names; None: all in the folder.
        problems: faulty lines of that list, or why the splits are unclear.
        broken: why the split cannot be used at all.
    """

    split: str | None
    images: Path
    masks: Path
    base: Path
    only: frozenset[Path] | None = None
    problems: tuple[DataError, ...] = ()
    broken: DataError | None = None


def find_parts(folder: Path) -> list[ParallelFolders]:
    """Return the parallel folders of a data set; empty if there are none.

    Raises:
        DataError: more than one folder can be meant.
    """
    if not folder.is_dir():
        return []
    if described := _described(folder):
        return described
    if two := _two_folders(folder):
        return _by_split(*two, folder)
    return [part for child in _split_folders(folder) for part in _inside_or_beside(child)]


def choose_lists(folder: Path, parts: Sequence[ParallelFolders]) -> dict[str, Path]:
    """Return the lists that count: those in splits/, which are written last, else others.

    Lists elsewhere do not count if folders are splits already.
    """
    own = find_lists(folder, ("splits",)) if parts else {}
    if {"train", "val"} & own.keys():
        return own
    return {} if parts and parts[0].split else find_lists(folder)


def has_parts(folder: Path) -> bool:
    """Return whether there are images and masks in customary folders, or a list of both."""
    if not folder.is_dir():
        return False
    children = _split_folders(folder)
    return (
        any(all(_candidates(place)) for place in (folder, *children))
        or any(_inside_or_beside(child) for child in children)
        or _masks_dir(folder) is not None
        or lists_pairs(folder, read_lists(find_lists(folder))[0].values())
    )


def resolve_place(folder: Path, content: Mapping[str, Any], place: object) -> Path | None:
    """Return the folder or the list of images that a YAML file names; None if it is missing.

    Args:
        folder: the data set, in which the place is looked for; see `locate_place`.
        content: the YAML; its "path" is often that of the author's machine.
        place: the value of a split; Roboflow writes "../train/images".
    """
    text = str(place)
    whole = "/".join(inner_parts(f"{content.get('path') or ''}/{text}"))
    exact = folder / whole
    if whole and os.path.isdir(exact):
        return exact
    return locate_place(folder, whole) or locate_place(folder, text)


def outside_hint(folder: Path, place: object) -> str:
    """Return what to do about a place that exists, but not in the data set; else ""."""
    path = os.path.join(folder, str(place))
    if len(path) > MAX_PATH or not os.path.exists(path):
        return ""
    return f"it exists outside of {folder}: open the folder that holds both, or link it into it"


def as_places(value: object) -> list[str]:
    """Return the places that a YAML value names: a list of them, one, or none."""
    if isinstance(value, list):
        return [str(place) for place in value]
    return [str(value)] if value else []


def _by_split(images: Path, masks: Path, base: Path) -> list[ParallelFolders]:
    """Return the parts of images/train, images/val, ..., or the one of a folder without splits.

    Other files than images, and folders without images do not count.
    """
    inside = sorted(visible(images))
    loose = [path for path in inside if path.name.lower().endswith(SUFFIXES)]
    photos = {*loose}  # by their suffix alone: there may be very many
    folders = [path for path in inside if path not in photos and path.is_dir()]
    splits = {path: split for path in folders if (split := folder_split(path.name))}
    groups = [path for path in folders if path not in splits and has_images(path)] if splits else []
    # A single folder that is called "test" or "dev" may be one of many groups.
    meant = "train" in splits.values() or len({*splits.values()}) > 1 or (splits and loose)
    if splits and not (groups or loose):
        return [
            ParallelFolders(split, path, _first_folder(masks / path.name, masks), base)
            for path, split in splits.items()
        ]
    problems = (_mixed_folders(images, [*splits], [*groups, *loose]),) if meant else ()
    return [ParallelFolders(None, images, masks, base, problems=problems)]


def _mixed_folders(images: Path, splits: Sequence[Path], others: Sequence[Path]) -> DataError:
    """Return the error of splits beside images that are in none of them."""
    names = ", ".join(f"{path.name}/" for path in splits)
    return DataError(
        f"the splits {names} beside images that are in none of them: {first_few(others)}",
        expected="folders of splits only, or none",
        remedy="move the others into a split or out of the folder, or name the photos of each "
        "split in splits/train.txt and splits/val.txt",
        where=images,
        code="mixed-folders",
    )


def _inside_or_beside(folder: Path) -> list[ParallelFolders]:
    """Return train/images with train/masks, or train with train_labels."""
    split = folder_split(folder.name)
    if two := _two_folders(folder):
        return [ParallelFolders(split, *two, folder.parent)]
    beside = [folder.with_name(folder.name + ending) for ending in LABELS_BESIDE]
    masks = [path for path in beside if has_images(path)]
    return [ParallelFolders(split, folder, path, folder.parent) for path in masks[:1]]


def _two_folders(folder: Path) -> tuple[Path, Path] | None:
    images, masks = _candidates(folder)
    for found, option in ((images, "images"), (masks, "masks")):
        if len(found) > 1:
            names = [path.name for path in found]
            raise DataError(
                f"{len(names)} folders of {option}: {', '.join(names)}",
                expected="one",
                remedy="rename or move all but one",
                where=folder,
            )
    return (images[0], masks[0]) if images and masks else None


def _candidates(folder: Path) -> tuple[list[Path], list[Path]]:
    children = sorted(visible(folder, "*/"))

    def among(names: Sequence[str]) -> list[Path]:
        return [path for path in children if path.name.casefold() in names and has_images(path)]

    return among(IMAGE_FOLDERS), among(MASK_FOLDERS)


def _split_folders(folder: Path) -> list[Path]:
    return sorted(path for path in visible(folder, "*/") if folder_split(path.name))


def _first_folder(*folders: Path) -> Path:
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _masks_dir(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    for name in YAML_FILES:
        if os.path.lexists(folder / name):
            content = read_yaml(folder / name)
            masks = _candidates(folder)[1]
            if not content.get("masks_dir") and content.get("train") and len(masks) == 1:
                content["masks_dir"] = masks[0].name
            if content.get("masks_dir"):
                return folder / name, content
    return None


def _described(folder: Path) -> list[ParallelFolders]:
    """Return the parts that ultralytics' keys path, train, val, test and masks_dir describe."""
    found = _masks_dir(folder)
    if not found:
        return []
    path, content = found
    base = locate_place(folder, str(content.get("path") or "")) or folder
    masks_dir = "/".join(inner_parts(str(content["masks_dir"])))
    parts = []
    for split in ("train", "val", "test"):
        for place in as_places(content.get(split)):
            source = resolve_place(folder, content, place)
            if source is None and split != "test":  # test is often named and missing
                error = DataError(
                    f"{split}: {place} does not exist",
                    expected=f"a folder, or a list of photos, in {base}",
                    remedy=outside_hint(folder, place),
                    where=path,
                )
                parts.append(ParallelFolders(split, base, base, base, frozenset(), broken=error))
            elif source is not None and source.is_file():
                parts += _of_list(split, source, base, masks_dir)
            elif source is not None:
                masks = _masks_of(source, base, masks_dir)
                parts.append(ParallelFolders(split, source, masks, base))
    return parts


def _of_list(split: str, path: Path, base: Path, masks_dir: str) -> list[ParallelFolders]:
    """Return the images that a list names, by their folders."""
    inside: dict[Path, set[Path]] = {}
    try:
        lines = SplitList.read(path)
    except DataError as error:
        return [ParallelFolders(split, base, base, base, frozenset(), broken=error)]
    problems = []
    for line in lines.lines:
        image = locate(path.parent, line) or _find_image(base, line)
        if image is None:
            found = f"{quoted(line)} does not name a photo under {base}"
            problems.append(lines.problem(found, "the path of one photo per line"))
        else:
            inside.setdefault(image.parent, set()).add(image)
    problems += [empty] if (empty := lines.empty()) else []
    parts = [
        ParallelFolders(split, images, _masks_of(images, base, masks_dir), base, frozenset(only))
        for images, only in sorted(inside.items())
    ]
    return [*parts, ParallelFolders(split, base, base, base, frozenset(), tuple(problems))]


def _find_image(base: Path, line: str) -> Path | None:
    """Return an image by its path, or by its stem in a folder of images."""
    places = [
        base,
        *(path for path in visible(base, "*/") if path.name.casefold() in IMAGE_FOLDERS),
    ]
    ways = (locate_in(places, line + end) for end in ("", *SUFFIXES))
    return next((image for image in ways if image), None)


def _masks_of(images: Path, base: Path, masks_dir: str) -> Path:
    inside = images.relative_to(base).parts if images.is_relative_to(base) else images.parts[-1:]
    swapped = [masks_dir if part.casefold() in IMAGE_FOLDERS else part for part in inside]
    return _first_folder(base.joinpath(*swapped), base / masks_dir / images.name, base / masks_dir)
