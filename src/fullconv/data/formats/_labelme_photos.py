"""The photos of LabelMe's files: beside them, in a folder of images, or embedded."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unicodedata import normalize

from fullconv.data.discovery.files import (
    IMAGE_FOLDERS,
    find_images,
    first_names,
    fold_name,
    inner_parts,
    locate_beside,
    quoted,
)
from fullconv.data.formats._annotations import locate_errors
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES
from fullconv.io.text import get_entry, read_json
from fullconv.units import count


def photo_of(path: Path, content: dict[str, Any], folder: Path) -> Path | bytes:
    """Return the photo of a file: its path, or its bytes if it is embedded only.

    Args:
        path: the file.
        content: its JSON.
        folder: the data set, in or beside which the photo is looked for.

    Raises:
        DataError: it is not there, or it is the photo of another file.
    """
    text = get_entry(content, "imagePath", str, str(path))
    for form in ("NFC", "NFD"):  # macOS writes "ü" as two characters, Linux as one
        if found := locate_beside(path.parent, normalize(form, text), folder):
            _check_own_photo(path, found)
            return found
    own = path.with_name(inner_parts(text)[-1]) if inner_parts(text) else path
    if own.stem == path.stem and own != path and own.is_file():
        return own  # it was moved beside its file, out of the folder that imagePath names
    embedded = content.get("imageData")
    if not isinstance(embedded, str):
        raise DataError(
            f"its photo {quoted(text)} is not there and not in the file either",
            expected=f"it in {folder}, or in a folder such as images/ in or beside it",
            remedy="put the photo beside the .json file",
            where=path,
        )
    with locate_errors(f"{path}: imageData", "put the photo beside the .json file"):
        return decode_base64(embedded)


def not_annotated(folder: Path, files: Sequence[Path]) -> DataError | None:
    """Return how many photos have no file yet; None if all have one.

    They are looked for in the folders of the files, and in folders such as images/.
    """
    photos = _photos(folder, {path.parent for path in files})
    own, named = {_key(photo) for photo in photos}, {_key(path) for path in files}
    elsewhere = [path for path in files if _key(path) not in own]  # their photos
    stems = {fold_name(path.stem) for path in elsewhere}
    rest = [photo for photo in photos if _key(photo) not in named and _key(photo)[1] not in stems]
    if rest:  # a file may name a photo of another stem
        known = {stem for _, stem in own}
        others = [path for path in elsewhere if _key(path)[1] not in known]
        names = {fold_name(_named(path)) for path in others}
        rest = [photo for photo in rest if fold_name(photo.name) not in names]
    if not rest:
        return None
    first = first_names([photo.relative_to(folder).as_posix() for photo in rest])
    return DataError(
        f"{count(len(rest), 'photo')} left out, without a .json file: {first}",
        expected="a file for every photo; one without shapes if it is all background",
        remedy="annotate them, or move them out of the folder if they are not to be used",
        where=folder,
        code="not-annotated",
    )


def shared_photos(folder: Path, files: Sequence[Path]) -> list[DataError]:
    """Return an error for each file that names the photo of another one, such as a copy of it.

    Only files without a photo of their own name are read for that.
    """
    photos = _photos(folder, {path.parent for path in files})
    stems = {fold_name(photo.stem) for photo in photos}
    owners = {_key(path): path for path in files}
    errors = []
    for path in files if photos else ():
        if fold_name(path.stem) in stems:
            continue
        name = _named(path)
        photo = locate_beside(path.parent, name, folder) if name else None
        first = owners.setdefault(_key(photo), path) if photo else path
        if first != path:
            error = DataError(
                f"its photo {quoted(name)} is that of {first.name}, too",
                expected="one file per photo",
                remedy="remove one of the two files, or correct imagePath",
                where=path,
                code="list-line",
            )
            errors.append(error)
    return errors


def decode_base64(encoded: str) -> bytes:
    """Return the bytes that a file embeds.

    Raises:
        DataError: it is not base64.
    """
    try:
        return b64decode(encoded, validate=False)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"base64 that cannot be read ({error})") from error


def _photos(folder: Path, places: set[Path]) -> list[Path]:
    """Return the photos in these folders, and in all folders of images."""
    return [
        path
        for path in find_images(folder)
        if path.parent in places
        or any(part.casefold() in IMAGE_FOLDERS for part in path.parent.relative_to(folder).parts)
    ]


def _key(path: Path) -> tuple[Path, str]:
    return path.parent, fold_name(path.stem)


def _named(path: Path) -> str:
    """Return the file name of the photo that a file names; "" if it cannot be read."""
    with suppress(DataError):
        name = get_entry(read_json(path), "imagePath", str, str(path))
        return inner_parts(name)[-1] if inner_parts(name) else ""
    return ""


def _check_own_photo(path: Path, found: Path) -> None:
    """Refuse a file that names another photo than that of its own name: one of them was renamed."""
    if fold_name(found.stem) == fold_name(path.stem):
        return
    own = [found.with_name(path.stem + suffix) for suffix in SUFFIXES]
    own += [photo.with_suffix(photo.suffix.upper()) for photo in own]
    other = next((photo for photo in own if photo.is_file()), None)
    if other:
        raise DataError(
            f"its imagePath is {quoted(found.name)}, but there is a photo {quoted(other.name)} of "
            "its own name",
            expected="the photo that was annotated",
            remedy="correct imagePath, or rename one of the files",
            where=path,
        )
