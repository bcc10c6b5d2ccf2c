"""Find image files, compare their names, and name samples after them."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from fullconv.data.sample import clean_name
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES, count_unsupported
from fullconv.io.visible import visible, visible_entries

IMAGE_FOLDERS = (
    *("images", "image", "imgs", "img", "img_dir", "photos", "photo", "jpegimages", "inputs"),
)

LABELS_BESIDE = ("_labels", "_masks", "_mask", "_label", "_gt", "_annotations", "annot")
"""Endings of the names of folders of masks beside those of photos: train/ and train_labels/."""

LIST_SUFFIXES = (".txt", ".lst", ".list", ".csv")
MAX_PATH = 4096  # characters of a path
FOLDER_MARK = "__"  # after each folder in the name of a sample


def find_images(folder: Path) -> list[Path]:
    """Return every image file under `folder`, sorted; hidden files are left out."""
    return sorted(
        find_files(folder, *SUFFIXES), key=lambda path: path.relative_to(folder).as_posix()
    )


def find_files(folder: Path, *suffixes: str) -> Iterator[Path]:
    """Yield the files under `folder` with one of the suffixes, each folder's by name."""
    return _walk(folder, suffixes, _ids_above(folder))


def left_out(folder: Path, used: Iterable[Path]) -> dict[str, int]:
    """Count the pictures in one folder that are not read: suffix -> number.

    Another version of a file that is read, such as a raw photo beside its JPEG, does not count.
    """
    stems = {path.stem.casefold() for path in used}
    try:
        names = [path.name for path in visible(folder)]
    except DataError:  # its photos are named in a list, and it cannot be listed
        return {}
    return count_unsupported(name for name in names if Path(name).stem.casefold() not in stems)


def has_images(folder: Path) -> bool:
    """Return whether there is any image file under `folder`."""
    return any(True for _ in find_files(folder, *SUFFIXES))


def locate(folder: Path, text: str, dangling: bool = False) -> Path | None:
    """Return the file under `folder` whose path is the longest possible end of `text`.

    Lists and annotation files carry the paths of their author's machine
    ("/SegNet/CamVid/train/a.png"). What they name is only looked for in the data set: the root of
    an absolute path and ".." are dropped, so no file elsewhere can be named.

    Args:
        folder: the data set.
        text: a path, absolute or relative, with slashes or backslashes.
        dangling: whether a link to a missing file counts as a file.
    """
    return locate_in((folder,), text, dangling)


def locate_in(places: Sequence[Path], text: str, dangling: bool = False) -> Path | None:
    """Return the file in one of several folders whose path is the longest possible end of `text`.

    Of equal ends, the first folder's counts. Where there is the folder that `text` names, such as
    cam1 of "cam1/0001.jpg", the file has to be in it: another one of that name is another photo.
    A customary name such as "images" tells nothing apart, and may be left out.

    Args:
        places: folders of the data set.
        text: a path, as in `locate`.
        dangling: whether a link to a missing file counts as a file.
    """
    exists = os.path.lexists if dangling else os.path.isfile
    parts = inner_parts(text)
    for start in range(len(parts)):
        paths = [place.joinpath(*parts[start:]) for place in places]
        if found := next((path for path in paths if exists(path)), None):
            return found
        above = parts[start:-1][-1:]
        telling = bool(above) and above[0].casefold() not in IMAGE_FOLDERS
        if telling and any(os.path.isdir(path.parent) for path in paths):
            return None
    return None


def locate_place(folder: Path, text: str) -> Path | None:
    """Return the folder or list of images under `folder` that a path means, as in `locate`.

    A customary name such as "images" counts only if all of the path is there, since the folders
    before it tell the splits apart.
    """
    parts = inner_parts(text)
    for start in range(len(parts)):
        if start and start == len(parts) - 1 and parts[start].casefold() in IMAGE_FOLDERS:
            break
        path = folder.joinpath(*parts[start:])
        if os.path.isdir(path) or (path.suffix in LIST_SUFFIXES and os.path.isfile(path)):
            return path
    return None


def locate_beside(place: Path, name: str, folder: Path) -> Path | None:
    """Return the photo that a file in `place` names.

    It is in the data set, or in a folder of images beside it ("../images/a.jpg"), but not anywhere
    on the disk.
    """
    parts = inner_parts(name)
    if not parts:
        return None
    root = Path(os.path.abspath(folder))
    near = Path(os.path.abspath(os.path.join(place, name.replace("\\", "/"))))
    beside = _image_folders(root.parent)
    if os.path.isfile(near) and near.is_relative_to(root):
        return folder / near.relative_to(root)  # names of samples must not depend on its spelling
    if os.path.isfile(near) and any(near.is_relative_to(one) for one in beside):
        return near
    above = (place,) if place == folder else (place, place.parent, folder)
    inside = [found for one in above for found in _image_folders(one)]
    return locate_in([*dict.fromkeys((place, folder, *inside, *beside))], name)


def inner_parts(text: str) -> list[str]:
    """Return the parts of a path without its root, "." and ".."; none if it is too long."""
    if len(text) > MAX_PATH:
        return []
    return [part for part in text.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def sample_name(image: Path, folder: Path) -> str:
    """Return the name of a sample: its image's path without suffix, folders joined by "__"."""
    inside = path_within(image, folder)
    return clean_name(FOLDER_MARK.join((*without_image_folders(inside)[:-1], inside.stem)))


def fold_name(text: str) -> str:
    """Return the form in which names are compared: NFC, without case."""
    # macOS stores "ü" as two characters, Linux as one.
    return unicodedata.normalize("NFC", text).casefold()


def path_within(path: Path, folder: Path) -> PurePosixPath:
    """Return the path relative to `folder`, or the last three parts of a path elsewhere."""
    if path.is_relative_to(folder):
        return PurePosixPath(path.relative_to(folder).as_posix())
    return PurePosixPath(*Path(os.path.abspath(path)).parts[-3:])


def without_image_folders(inside: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a path without folders such as "images", which tell nothing apart."""
    folders = [part for part in inside.parts[:-1] if part.casefold() not in IMAGE_FOLDERS]
    return (*folders, inside.name)


def quoted(text: object, most: int = 80) -> str:
    """Return text from a file in quotation marks, shortened to `most` characters."""
    shown = str(text)
    return repr(shown if len(shown) <= most else f"{shown[: most - 3]}...")


def first_few(paths: Sequence[Path]) -> str:
    """Return the first three paths as text, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(str(path) for path in paths[:3]) + more


def first_names(names: Sequence[str]) -> str:
    """Return the first three names as text, and "..." if there are more."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _image_folders(folder: Path) -> list[Path]:
    return [path for path in sorted(visible(folder, "*/")) if path.name.casefold() in IMAGE_FOLDERS]


def _ids_above(folder: Path) -> set[tuple[int, int]]:
    """Return what identifies the folders above one, to which a link may lead back."""
    found = set()
    for parent in Path(os.path.realpath(folder)).parents:
        with suppress(OSError):  # a folder that is missing, or may not be looked at
            status = os.stat(parent)
            found.add((status.st_dev, status.st_ino))
    return found


def _walk(folder: Path, suffixes: tuple[str, ...], seen: set[tuple[int, int]]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:  # a link back to a parent folder
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in visible_entries(folder):
        if _is_folder(entry):
            yield from _walk(Path(entry.path), suffixes, seen)
        elif entry.name.lower().endswith(suffixes):
            yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it reports the error
        return False
