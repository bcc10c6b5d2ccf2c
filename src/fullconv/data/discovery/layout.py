"""Where photos, masks and split lists lie, by the names that people customarily give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.data.discovery.lists import list_lines, two_files
from fullconv.data.discovery.pairing import PHOTO_FOLDERS, has_pictures, located
from fullconv.data.labels.classes import YAML_FILES
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES
from fullconv.io.text import read_yaml

MASK_FOLDERS = (
    *("masks", "mask", "ann_dir", "annotations", "annotation", "labels", "label"),
    *("segmentationclass", "segmentationclasspng", "gt", "gts", "ground_truth", "groundtruth"),
)
_BESIDE = ("_labels", "_masks", "_mask", "_label", "_gt", "_annotations", "annot")

_SPLITS = {
    "train": ("train", "training", "training_data", "train_data", "trn"),
    "val": ("val", "valid", "validation", "validation_data", "valid_data", "val_data", "dev"),
    "test": ("test", "testing", "test_data"),
    "trainval": ("trainval",),
}
_LIST_FOLDERS = ("", "splits", "ImageSets/Segmentation", "ImageSets", "lists")


@dataclass(frozen=True)
class Part:
    """Two parallel folders.

    Attributes:
        split: the split that their place in the tree tells, if any.
        photos: the folder of the photos.
        masks: the folder of the masks.
        base: what the names of samples are relative to.
        only: the photos that belong to it, where a list says so; None: all in the folder.
        faulty: (list, what is wrong with a line of it).
    """

    split: str | None
    photos: Path
    masks: Path
    base: Path
    only: frozenset[Path] | None = None
    faulty: tuple[tuple[Path, str], ...] = ()


def find_parts(folder: Path) -> list[Part]:
    """The parallel folders of a data set; empty where there are none.

    Raises:
        DataError: more than one folder can be meant, or dataset.yaml names one that is not there.
    """
    if not folder.is_dir():
        return []
    if described := _described(folder):
        return described
    if two := _two_folders(folder):
        return _by_split(*two, folder)
    return [part for child in _split_folders(folder) for part in _inside_or_beside(child)]


def find_lists(folder: Path, places: Sequence[str] = _LIST_FOLDERS) -> dict[str, Path]:
    """The split lists of a data set: train.txt, splits/train.txt, ...; split -> file."""
    lists: dict[str, Path] = {}
    for place in places:
        for path in sorted((folder / place).glob("*.txt")):
            split = canonical(path.stem) or (path.stem if place else None)
            if split:
                lists.setdefault(split, path)
    return lists


def chosen_lists(folder: Path, parts: Sequence[Part]) -> dict[str, Path]:
    """The lists that count: those in splits/, which are made last; else others, or none.

    Lists elsewhere do not count where folders are splits already.
    """
    own = find_lists(folder, ("splits",)) if parts else {}
    if {"train", "val"} & own.keys():
        return own
    return {} if parts and parts[0].split else find_lists(folder)


def has_parts(folder: Path) -> bool:
    """Whether there are photos and masks in folders with customary names, or a list of both."""
    if not folder.is_dir():
        return False
    children = _split_folders(folder)
    return (
        any(all(_candidates(place)) for place in (folder, *children))
        or any(_inside_or_beside(child) for child in children)
        or _masks_dir(folder) is not None
        or lists_pairs(folder)
    )


def lists_pairs(folder: Path, lists: Mapping[str, Path] | None = None) -> bool:
    """Whether the split lists name a photo and a mask in each line; looks at their first lines."""
    lists = find_lists(folder) if lists is None else lists
    first = [list_lines(path)[:1] for path in lists.values()]
    told = [lines[0] for lines in first if lines]  # an empty list tells nothing
    return bool(told) and all(two_files(folder, line) for line in told)


def canonical(name: str) -> str | None:
    """The split that a folder or list of this name means; None where it is no usual name."""
    return next((split for split, names in _SPLITS.items() if name.casefold() in names), None)


def _by_split(photos: Path, masks: Path, base: Path) -> list[Part]:
    inside = [path for path in sorted(photos.iterdir()) if not path.name.startswith(".")]
    if not inside or not all(path.is_dir() and canonical(path.name) for path in inside):
        return [Part(None, photos, masks, base)]
    return [
        Part(canonical(path.name), path, _first_folder(masks / path.name, masks), base)
        for path in inside
    ]


def _inside_or_beside(folder: Path) -> list[Part]:
    """train/images with train/masks, or train with train_labels."""
    split = canonical(folder.name)
    if two := _two_folders(folder):
        return [Part(split, *two, folder.parent)]
    beside = [folder.with_name(folder.name + ending) for ending in _BESIDE]
    return [Part(split, folder, masks, folder.parent) for masks in beside if has_pictures(masks)][
        :1
    ]


def _two_folders(folder: Path) -> tuple[Path, Path] | None:
    photos, masks = _candidates(folder)
    for found in (photos, masks):
        if len(found) > 1:
            raise DataError(
                f"{' and '.join(path.name for path in found)} all hold pictures, so that it is "
                "open which is meant",
                remedy="rename or move all but one",
                where=folder,
            )
    return (photos[0], masks[0]) if photos and masks else None


def _candidates(folder: Path) -> tuple[list[Path], list[Path]]:
    children = sorted(path for path in folder.iterdir() if path.is_dir())

    def among(names: Sequence[str]) -> list[Path]:
        return [path for path in children if path.name.casefold() in names and has_pictures(path)]

    return among(PHOTO_FOLDERS), among(MASK_FOLDERS)


def _split_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and canonical(path.name))


def _first_folder(*folders: Path) -> Path:
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _masks_dir(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    for name in YAML_FILES:
        if (folder / name).is_file():
            content = read_yaml(folder / name)
            masks = _candidates(folder)[1]
            if not content.get("masks_dir") and content.get("train") and len(masks) == 1:
                content["masks_dir"] = masks[0].name
            if content.get("masks_dir"):
                return folder / name, content
    return None


def _described(folder: Path) -> list[Part]:
    """What ultralytics' keys path, train, val, test and masks_dir say."""
    found = _masks_dir(folder)
    if not found:
        return []
    path, content = found
    base = _first_folder(folder / str(content.get("path") or ""), folder)
    parts = []
    for split in ("train", "val", "test"):
        for place in _listed(content.get(split)):
            there = place_of(folder, content, place)
            if there is None and split == "test":  # often named and not there
                continue
            if there is None:
                raise DataError(
                    f"{split}: {place} is no folder and no list in {base}",
                    where=path,
                )
            if there.is_file():
                parts += _of_list(split, there, base, str(content["masks_dir"]))
            else:
                masks = _masks_of(there, base, str(content["masks_dir"]))
                parts.append(Part(split, there, masks, base))
    return parts


def place_of(folder: Path, content: Mapping[str, Any], place: object) -> Path | None:
    """The folder or the list of photos that a data set's YAML means; None where it is not there.

    Args:
        folder: the data set.
        content: the YAML; its "path" is often that of the author's machine.
        place: what it says of a split; Roboflow writes "../train/images".
    """
    bare = str(place).replace("\\", "/").removeprefix("../").removeprefix("./")
    for base in (folder / str(content.get("path") or ""), folder):
        found = base / bare
        if found.is_dir() or (found.is_file() and found.suffix == ".txt"):
            return found
    return None


def _of_list(split: str, path: Path, base: Path, masks_dir: str) -> list[Part]:
    """The photos that a list names, by the folders in which they lie."""
    inside: dict[Path, set[Path]] = {}
    faulty = []
    for line in list_lines(path):
        photo = located(path.parent, line) or _photo_in(base, line)
        if photo is None:
            faulty.append((path, f"{line!r} names no photo that is under {base}"))
        else:
            inside.setdefault(photo.parent, set()).add(photo)
    parts = [
        Part(split, photos, _masks_of(photos, base, masks_dir), base, frozenset(only))
        for photos, only in sorted(inside.items())
    ]
    if faulty or not parts:
        faulty = faulty or [(path, "it names no photo")]
        parts.append(Part(split, base, base, base, frozenset(), tuple(faulty)))
    return parts


def _photo_in(base: Path, line: str) -> Path | None:
    """A photo by its path, or by its stem in a folder of photos."""
    places = [base, *(path for path in base.glob("*/") if path.name.casefold() in PHOTO_FOLDERS)]
    ways = (located(place, line + end) for end in ("", *SUFFIXES) for place in places)
    return next((photo for photo in ways if photo), None)


def _listed(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return [str(value)] if value else []


def _masks_of(photos: Path, base: Path, masks_dir: str) -> Path:
    inside = photos.relative_to(base).parts if photos.is_relative_to(base) else photos.parts[-1:]
    swapped = [masks_dir if part.casefold() in PHOTO_FOLDERS else part for part in inside]
    return _first_folder(base.joinpath(*swapped), base / masks_dir / photos.name, base / masks_dir)
