"""Find image files, compare their names, and name samples after them."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fullconv.io.images import SUFFIXES

IMAGE_FOLDERS = (
    *("images", "image", "imgs", "img", "img_dir", "photos", "photo", "jpegimages", "inputs"),
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def find_images(folder: Path) -> list[Path]:
    """Return every image file under `folder`, sorted; hidden files are left out."""
    return sorted(_walk(folder, set()), key=lambda path: path.relative_to(folder).as_posix())


def has_images(folder: Path) -> bool:
    """Return whether there is any image file under `folder`."""
    return any(True for _ in _walk(folder, set()))


def locate(folder: Path, text: str, dangling: bool = False) -> Path | None:
    """Return the file under `folder` whose path is the longest possible end of `text`.

    Lists carry the paths of their author's machine ("/SegNet/CamVid/train/a.png").

    Args:
        folder: the data set.
        text: a path, absolute or relative, with slashes or backslashes.
        dangling: whether a link to a missing file counts as a file.
    """
    exists = os.path.lexists if dangling else os.path.isfile
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in "/.."]
    paths = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in paths if exists(path)), None)


def sample_name(image: Path, folder: Path) -> str:
    """Return the name of a sample: its image's path without suffix, folders joined by "__"."""
    inside = path_within(image, folder)
    # A line break in a file's name would break lists, tables and messages.
    return _CONTROL.sub("_", "__".join((*without_image_folders(inside)[:-1], inside.stem)))


def fold_name(text: str) -> str:
    """Return the form in which names are compared: NFC, without case."""
    # macOS stores "ü" as two characters, Linux as one.
    return unicodedata.normalize("NFC", text).casefold()


def path_within(path: Path, folder: Path) -> PurePosixPath:
    """Return the path relative to `folder`, or the last three parts of a path elsewhere."""
    if path.is_relative_to(folder):
        return PurePosixPath(path.relative_to(folder).as_posix())
    return PurePosixPath(*path.parts[-3:])


def without_image_folders(inside: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a path without folders such as "images", which tell nothing apart."""
    folders = [part for part in inside.parts[:-1] if part.casefold() not in IMAGE_FOLDERS]
    return (*folders, inside.name)


def first_few(paths: Sequence[Path]) -> str:
    """Return the first three paths as text, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(str(path) for path in paths[:3]) + more


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:  # a link back to a parent folder
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if _is_folder(entry):
                yield from _walk(Path(entry.path), seen)
            elif entry.name.lower().endswith(SUFFIXES):
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it reports the error
        return False
