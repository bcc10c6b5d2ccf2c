"""A folder of corrected masks with their photos: a data set that `check` and `train` take."""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.data.discovery.files import fold_name
from fullconv.data.labels.class_lines import distinct_palette, format_lines
from fullconv.data.labels.classes import DECLARATIONS, read_text
from fullconv.errors import ConfigError, DataError, OutputError, printable
from fullconv.io.atomic import explained, write_bytes, write_new, write_text
from fullconv.io.contained import contained
from fullconv.io.images import Header, encode_labels
from fullconv.io.locks import locked
from fullconv.io.palettes import Palette

IMAGES, MASKS, CLASSES = "images", "masks", "classes.txt"
MAX_NAME, MAX_NAME_BYTES = 84, 240  # of a correction: with a suffix, file systems take 255 bytes

_SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}  # of formats with other names
_SLUG = re.compile(r"\w(?:[\w.-]*[\w-])?")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


class TakenError(Exception):
    """A correction of this name exists: of the same photo, or of another one."""

    def __init__(self, name: str, same: bool) -> None:
        super().__init__(name)
        self.name, self.same = name, same


@dataclass(frozen=True)
class Saved:
    """A correction that was saved.

    Attributes:
        photo: its path below the folder, with slashes.
        mask: the same.
        replaced: whether the mask replaced an earlier one of the same photo.
    """

    photo: str
    mask: str
    replaced: bool


@dataclass(frozen=True)
class CorrectionFolder:
    """A data set that corrections are added to; `open_folder` returns one.

    Attributes:
        path: the folder.
        classes: of the masks.
        palette: distinct colours of the classes.
    """

    path: Path
    classes: tuple[str, ...]
    palette: Palette

    def save(
        self,
        name: str,
        suffix: str,
        photo: bytes,
        labels: UInt8[np.ndarray, "H W"],
        replace: bool = False,
    ) -> Saved:
        """Save a photo and its mask, both or neither.

        Args:
            name: from `correction_name`.
            suffix: of the photo's format, e.g. ".jpg".
            photo: the bytes of its file.
            labels: classes, and 255 for pixels that are not labelled.
            replace: whether the mask of the same photo is replaced.

        Raises:
            TakenError: another correction has this name; upper and lower case count as equal.
            OutputError: the disk is full, or the folder cannot be written.
        """
        mask = encode_labels(labels, self.palette)
        with locked(self.path):  # other processes may save here too
            earlier = self._find(name)
            if earlier is not None:
                same = earlier.read_bytes() == photo
                if not same or not replace:
                    raise TakenError(name, same)
                target = self._inside(MASKS, f"{earlier.stem}.png")
                write_bytes(target, mask)
                return self._saved(earlier, target, replaced=True)
            image, target = self._inside(IMAGES, name + suffix), self._inside(MASKS, f"{name}.png")
            try:
                write_new(target, mask)
                try:
                    write_new(image, photo)
                except BaseException:
                    with suppress(OSError):
                        target.unlink()
                    raise
            except FileExistsError as error:
                raise TakenError(name, same=False) from error
        return self._saved(image, target, replaced=False)

    def _find(self, name: str) -> Path | None:
        """Return the photo of this name, whatever its case and suffix; folders do not count."""
        wanted = fold_name(name)
        paths = sorted((self.path / IMAGES).iterdir())
        found = (path for path in paths if fold_name(path.stem) == wanted)
        return next((path for path in found if path.is_file()), None)

    def _inside(self, folder: str, name: str) -> Path:
        try:
            return contained(self.path, f"{folder}/{name}")
        except DataError as error:
            raise OutputError(str(error)) from error

    def _saved(self, image: Path, mask: Path, *, replaced: bool) -> Saved:
        return Saved(f"{IMAGES}/{image.name}", f"{MASKS}/{mask.name}", replaced)


def correction_name(text: str) -> str | None:
    """Return a client's name of a correction, normalized; None if it is not a plain name.

    Plain names have letters, digits, "_", "-" and, inside, dots. They name no path, no hidden file
    and no device.
    """
    name = unicodedata.normalize("NFC", text)
    if len(name) > MAX_NAME or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return None
    return name if _SLUG.fullmatch(name) and not _DEVICES.fullmatch(name) else None


def photo_suffix(header: Header) -> str:
    """Return the suffix of a photo's file."""
    return _SUFFIX.get(header.format, f".{header.format.lower()}")


def open_folder(path: Path, classes: Sequence[str], palette: Palette) -> CorrectionFolder:
    """Create the folder with its list of classes, or check that it is a data set of these classes.

    Args:
        path: the folder.
        classes: of the model whose masks are corrected.
        palette: of the classes.

    Raises:
        ConfigError: it is a file, holds other classes or images without a list of classes, or the
            classes cannot be written as one.
        OutputError: it cannot be created.
    """
    lines = "".join(format_lines(classes, colors := distinct_palette(palette)))
    declared = path / CLASSES
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--corrections {path} is a file; expected a folder, or a new name")
    if not declared.exists():
        _check_unused(path)
        with explained(path):
            for folder in (IMAGES, MASKS):
                (path / folder).mkdir(parents=True, exist_ok=True)
        write_text(declared, lines)
    try:
        found = read_text(declared)
        for folder in (IMAGES, MASKS):
            contained(path, f"{folder}/a")
            with explained(path):
                (path / folder).mkdir(exist_ok=True)
    except DataError as error:
        raise ConfigError(f"--corrections {path}: {error}") from error
    expected = [" ".join(name.split()) for name in classes]
    if list(found.classes) != expected or dict(found.mapping) != _values(len(classes)):
        raise ConfigError(
            f"--corrections {path}: its {CLASSES} has the classes "
            f"{printable(', '.join(found.classes)[:200])}, and the model "
            f"{printable(', '.join(classes)[:200])}; choose another folder"
        )
    return CorrectionFolder(path, tuple(classes), colors)


def _values(count: int) -> dict[int, int]:
    return {label: label for label in range(count)} | {255: 255}


def _check_unused(path: Path) -> None:
    """Refuse a folder with images whose classes are unknown, or declared in another file."""
    for name in (IMAGES, MASKS, *DECLARATIONS):
        there = path / name
        if there.is_dir() and not any(there.iterdir()):
            continue
        if there.exists():
            raise ConfigError(
                f"--corrections {path} holds {name} and no {CLASSES}; choose a new folder, or one "
                "that this server has written"
            )
