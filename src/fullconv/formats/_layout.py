"""Where photos, masks and split lists lie, by the names that people customarily give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.errors import DataError
from fullconv.formats._classes import YAML_FILES, read_yaml
from fullconv.formats._pairs import PHOTO_FOLDERS, has_pictures, list_lines, two_files

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
    """

    split: str | None
    photos: Path
    masks: Path
    base: Path


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


def find_lists(folder: Path) -> dict[str, Path]:
    """The split lists of a data set: train.txt, splits/train.txt, ...; split -> file."""
    lists: dict[str, Path] = {}
    for place in _LIST_FOLDERS:
        for path in sorted((folder / place).glob("*.txt")):
            split = canonical(path.stem) or (path.stem if place else None)
            if split:
                lists.setdefault(split, path)
    return lists


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


def lists_pairs(folder: Path) -> bool:
    """Whether the split lists name a photo and a mask in each line; looks at their first lines."""
    first = [list_lines(path)[:1] for path in find_lists(folder).values()]
    return bool(first) and all(lines and two_files(folder, lines[0]) for lines in first)


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
                f"{folder}: {' and '.join(path.name for path in found)} all hold pictures, so that "
                "it is open which is meant; rename or move all but one"
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
            photos = base / place
            if not photos.is_dir():
                raise DataError(f"{path}: {split}: {place} is no folder in {base}")
            masks = _masks_of(photos, base, str(content["masks_dir"]))
            parts.append(Part(split, photos, masks, base))
    return parts


def _listed(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return [str(value)] if value else []


def _masks_of(photos: Path, base: Path, masks_dir: str) -> Path:
    inside = photos.relative_to(base).parts if photos.is_relative_to(base) else photos.parts[-1:]
    swapped = [masks_dir if part.casefold() in PHOTO_FOLDERS else part for part in inside]
    return _first_folder(base.joinpath(*swapped), base / masks_dir / photos.name, base / masks_dir)
