"""ADE20K's full release (ADE20K_2021_17_01): over 3000 objects, numbered in red and green.

A mask PHOTO_seg.png holds the number of an object as R // 10 * 256 + G, and PHOTO.json beside it
has the object's name. 8-bit labels have room for 255 classes, so a list chooses them by name; every
other object is void. The release's own index is a pickle and is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.sample import Pair
from fullconv.errors import DataError, LabelError
from fullconv.io.palettes import VOID
from fullconv.io.text import get_entry, read_json
from fullconv.io.visible import visible

_END = "_seg.png"
_PLACES = ("images/ADE", "images", "ADE20K_2021_17_01/images/ADE")


@dataclass(frozen=True)
class ObjectTable:
    """Map masks that number objects to labels; the JSON file beside a mask names the objects.

    Attributes:
        labels: name of an object -> label; synonyms ("car, auto, automobile") count by the first.
    """

    labels: Mapping[str, int]

    def __call__(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        """Return the labels of the mask `where`.

        Raises:
            DataError: the mask is not in colour, or its JSON file is not there or broken.
            LabelError: an object that the JSON file does not name.
        """
        if raw.ndim != 3:
            raise DataError(
                "a mask with one channel",
                expected="ADE20K's colours",
                where=where,
            )
        wide = raw.astype(np.int32)
        numbers = wide[..., 0] // 10 * 256 + wide[..., 1]
        known = {0: VOID} | {
            number: self.labels.get(name, self.labels.get(first_name(name), VOID))
            for number, name in objects_of(Path(where)).items()
        }
        found, positions, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        for number, count in zip(found.tolist(), counts.tolist(), strict=True):
            if number not in known:
                raise LabelError(
                    f"the object {number} ({count:,} pixels) is not named in "
                    f"{described(Path(where)).name}",
                    expected="both files as they were published",
                    where=where,
                )
        labels = np.array([known[number] for number in found.tolist()], np.uint8)
        return labels[positions].reshape(numbers.shape)


def labels_of(classes: tuple[str, ...]) -> dict[str, int]:
    """Return name -> label."""
    return {name.casefold(): label for label, name in enumerate(classes)}


def objects_of(mask: Path) -> dict[int, str]:
    """Return the objects in one photo: number -> name.

    Raises:
        DataError: the JSON file is not there, or not as it was published.
    """
    path = described(mask)
    where = str(path)
    annotation = get_entry(read_json(path), "annotation", dict, where)
    objects: dict[int, str] = {}
    for number, record in enumerate(get_entry(annotation, "object", list, where)):
        position = f"{where}: object {number}"
        name = get_entry(record, "name", str, position)
        objects[get_entry(record, "name_ndx", int, position)] = name.casefold()
    return objects


def first_name(name: str) -> str:
    """Return the first of the synonyms that ADE20K gives an object."""
    return name.partition(",")[0].strip()


def described(mask: Path) -> Path:
    """Return the JSON file of a mask."""
    return mask.with_name(mask.name.removesuffix(_END) + ".json")


def full_root(folder: Path) -> Path | None:
    """Return the folder with training/ and validation/ of the full release; None if not found."""
    for place in _PLACES:
        training = folder / place / "training"
        for pattern in (f"*/*{_END}", f"*/*/*{_END}"):
            if next(visible(training, pattern), None):
                return folder / place
    return None


def full_pairs(folder: Path, part: str) -> tuple[list[Pair], list[DataError]]:
    """Return the photos of "training" or "validation" with their masks, and what is missing.

    A mask needs the photo and the JSON file of its name.
    """
    pairs, errors = [], []
    for mask in sorted(visible(folder / part, f"**/*{_END}")):
        missing = [path for path in (_photo(mask), described(mask)) if not path.is_file()]
        errors += [
            DataError(
                f"the file {path.name} of this mask is missing",
                expected="ADE20K_2021_17_01; older releases name their objects in another way",
                where=mask,
                code="list-line",
            )
            for path in missing
        ]
        if not missing:
            pairs.append(Pair(mask.name.removesuffix(_END), _photo(mask), mask))
    return pairs, errors


def _photo(mask: Path) -> Path:
    return mask.with_name(mask.name.removesuffix(_END) + ".jpg")
