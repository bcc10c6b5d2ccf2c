"""Where the photos of a YOLO data set lie, and the text file of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fullconv.errors import DataError
from fullconv.formats._classes import TEXT_FILES, YAML_FILES
from fullconv.formats._files import located, pictures
from fullconv.formats._layout import place_of
from fullconv.formats._lines import list_lines
from fullconv.formats._pairs import Pair
from fullconv.formats._splits import split_of
from fullconv.formats._texts import read_yaml


@dataclass
class Part:
    """The photos of one split.

    Attributes:
        photos: in their order.
        lines: (list, what is wrong with a line of it).
        refusal: why the split cannot be opened although data.yaml names it.
    """

    photos: list[Path] = field(default_factory=list)
    lines: list[tuple[Path, str]] = field(default_factory=list)
    refusal: str = ""

    def check(self) -> None:
        """Raise a DataError for the first fault."""
        if self.refusal:
            raise DataError(self.refusal)
        for path, sentence in self.lines:
            raise DataError(f"{path}: {sentence}; correct the line or take it out")


def photo_parts(folder: Path) -> dict[str, Part]:
    """The photos of each split, as data.yaml or the folders say; under "" where nothing says it.

    Raises:
        DataError: data.yaml cannot be read.
    """
    return _described(folder) or _in_folders(folder)


def labels_of(photo: Path) -> Path:
    """The text file of a photo: "labels" in place of the last "images" of its path."""
    parts = list(photo.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place].casefold() == "images":
            parts[place] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def lonely_labels(pairs: Sequence[Pair]) -> Iterator[Path]:
    """The text files beside those of `pairs` to which there is no photo."""
    places = {pair.mask.parent: pair.photo.parent for pair in pairs}
    for labels, photos in sorted(places.items()):
        stems = {path.stem for path in photos.iterdir()}
        for path in sorted(labels.glob("*.txt")):
            if path.stem not in stems and path.name not in (*TEXT_FILES, "train.txt", "val.txt"):
                yield path


def _described(folder: Path) -> dict[str, Part]:
    path = next((folder / name for name in YAML_FILES if (folder / name).is_file()), None)
    content = read_yaml(path) if path else {}
    parts = {}
    for split in ("train", "val", "test"):
        value = content.get(split)
        part = Part()
        for place in value if isinstance(value, list) else [value] if value else []:
            _add(part, folder, content, place)
            if part.refusal and split == "test":  # often named and not there
                part.refusal = ""
            elif part.refusal:
                part.refusal = f"{path}: {split}: {part.refusal}"
                break
        if part.photos or part.lines or part.refusal:
            parts[split] = part
    return parts


def _add(part: Part, folder: Path, content: dict[str, Any], place: object) -> None:
    found = place_of(folder, content, place)
    if found is None:
        part.refusal = f"{place} is no folder and no list of photos under {folder}"
    elif found.is_dir():
        part.photos += pictures(found)
    else:
        for line in list_lines(found):
            photo = located(found.parent, line) or located(folder, line)
            if photo:
                part.photos.append(photo)
            else:
                part.lines.append((found, f"there is no photo {line} under {folder}"))


def _in_folders(folder: Path) -> dict[str, Part]:
    """The photos of images/train, train/images, ..., or of images/ where there are no splits."""
    images = folder / "images"
    places = [(path.name, path) for path in sorted(images.glob("*/"))]
    places += [(path.name, path / "images") for path in sorted(folder.glob("*/"))]
    parts = {
        split: Part(pictures(path))
        for name, path in places
        if path.is_dir() and (split := split_of(name))
    }
    return parts or {"": Part(pictures(images) if images.is_dir() else [])}
