"""Resolve paths, globs, lists, manifests and URLs to inputs, and tell photos from rasters."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from fullconv.batch.input_lists import read_list, read_manifest
from fullconv.batch.left_out import LeftOut
from fullconv.batch.manifest import is_job_file
from fullconv.errors import ConfigError, ImageError
from fullconv.io.images import MAX_PIXELS, SUFFIXES, count_unsupported
from fullconv.io.rasters import read_raster_header
from fullconv.io.storage import is_url, list_files, local_path
from fullconv.io.video import SUFFIXES as VIDEO_SUFFIXES
from fullconv.io.video import is_video
from fullconv.io.visible import has_results, is_hidden

Medium = Literal["photo", "raster", "video"]

MAX_LISTS = 8
"""Lists that name each other."""


@dataclass(frozen=True)
class Input:
    """One photo, raster or video to predict.

    Attributes:
        id: its name in manifests; the same on every machine.
        where: its path or URL.
        name: of its output files, without suffix.
        medium: photo, raster or video; see `detect_media`.
    """

    id: str
    where: str
    name: str = ""
    medium: Medium = "photo"


def resolve_inputs(
    sources: Iterable[str],
    outside: str | Path | None = None,
    left_out: LeftOut | None = None,
) -> list[Input]:
    """Return the inputs that `sources` name, in order, each once.

    A line of a list, and a file in a folder, that cannot be read becomes an input all the same: it
    fails when it is predicted, and does not stop the others.

    Args:
        sources: photos and videos, folders (recursively, without hidden files), patterns such as
            "new/*.jpg", URLs, @LIST (a file with one source per line; @- is standard input), and
            manifests: .jsonl files with {"id": ..., "path": ...} on each line.
        outside: the output folder; files in it are not inputs.
        left_out: gets what is in folders and is no input.

    Raises:
        ImageError: a source does not exist, or a folder has no photo or video.
        ConfigError: a list or manifest is invalid, or two inputs have the same id.
    """
    left_out = LeftOut() if left_out is None else left_out
    inputs: dict[str, Input] = {}
    found = [item for source in sources for item in _resolve(source, left_out)]
    for item in found:
        if outside is not None and _is_inside(item.where, outside):
            continue
        known = inputs.setdefault(item.id, item)
        if os.path.normpath(known.where) != os.path.normpath(item.where):
            raise ConfigError(
                f"two inputs have the id {item.id!r}: {known.where} and {item.where}; "
                "expected unique ids"
            )
    if not found:
        raise ImageError("no inputs: the lists are empty; expected a path or a URL on each line")
    if not inputs:
        raise ImageError(f"all inputs are in the output folder {outside}; choose another --out")
    return list(inputs.values())


def detect_media(inputs: Iterable[Input], rasters_only: bool = False) -> list[Input]:
    """Return the inputs with their medium detected.

    Videos are recognized by their first bytes; by their name if they are not local. Rasters are
    georeferenced files, and pictures too large to be held in memory.

    Args:
        inputs: from `resolve_inputs`.
        rasters_only: read every TIFF, PNG and JPEG as a raster, because bands or a range are given.

    Raises:
        ConfigError: `rasters_only`, and an input is not a local file.
    """
    return [replace(item, medium=_detect_medium(item, rasters_only)) for item in inputs]


def _resolve(source: str, left_out: LeftOut, lists: tuple[str, ...] = ()) -> Iterator[Input]:
    if not source.strip():  # as of a shell's variable that is not set; a path of "" is the folder
        raise ImageError("an input without a name; expected a photo, a folder, a list or a URL")
    path = local_path(source)
    if source.startswith("@") and not (path and os.path.lexists(path)):
        yield from _resolve_list(source[1:], left_out, lists)
    elif path is None:
        yield from _resolve_url(source, left_out)
    elif path.suffix == ".jsonl" and os.path.isfile(path):
        yield from (Input(input_id, where) for input_id, where in read_manifest(path))
    elif os.path.isdir(path):
        pictures = sorted(_find_pictures(path, left_out))
        if not pictures:
            raise _no_picture(path, left_out)
        yield from (_create_input(str(picture)) for picture in pictures)
    elif os.path.lexists(path):  # a broken link is an input that fails
        yield _create_input(str(path))
    elif _is_pattern(str(path)):
        yield from _match(str(path))
    else:
        raise ImageError(f"{path}: no such photo, video or folder")


def _create_input(where: str) -> Input:
    return Input(PurePosixPath(os.path.normpath(where).replace(os.sep, "/")).as_posix(), where)


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _match(pattern: str) -> Iterator[Input]:
    """Find the files that match a pattern; brackets that are part of a folder's name count."""
    found = {*glob.glob(pattern, recursive=True), *_match_literally(pattern)}
    matches = sorted(match for match in found if not os.path.isdir(match))
    if "**" in pattern:  # follows links to folders, which may lead back: each file once
        shortest = {os.path.realpath(path): path for path in sorted(matches, key=len, reverse=True)}
        matches = sorted(shortest.values())
    if not matches:
        raise ImageError(f"{pattern}: no file matches this pattern")
    return map(_create_input, matches)


def _match_literally(pattern: str) -> Iterator[str]:
    """Yield the matches if the folders of the pattern are names, e.g. "[2024] trip/*.jpg"."""
    folder, name = os.path.split(pattern)
    if folder and _is_pattern(folder) and os.path.isdir(folder):
        yield from glob.glob(os.path.join(glob.escape(folder), name), recursive=True)


def _no_picture(folder: Path, left_out: LeftOut) -> ImageError:
    expected = ", ".join((*SUFFIXES, *VIDEO_SUFFIXES))
    found = "".join(f"; {sentence}" for sentence in left_out.sentences())
    return ImageError(f"{folder} holds no photo or video; expected {expected}{found}")


def _find_pictures(folder: Path, left_out: LeftOut) -> Iterator[Path]:
    """Find photos and videos below a folder, except hidden files and fullconv's own folders."""

    def report(error: OSError) -> None:
        left_out.unreadable.append(str(error.filename))

    for parent, folders, files in os.walk(folder, onerror=report):
        if Path(parent) != folder and any(map(is_job_file, files)):
            folders.clear()
            continue
        folders[:] = [
            name
            for name in folders
            if not is_hidden(name) and not has_results(os.path.join(parent, name))
        ]
        paths = [Path(parent) / name for name in files if not is_hidden(name)]
        pictures = list(filter(_is_picture, paths))
        left_out.pictures.update(count_unsupported({*paths} - {*pictures}))
        left_out.links += sorted(
            path for name in folders if os.path.islink(path := os.path.join(parent, name))
        )
        yield from pictures


def _is_picture(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (suffix in VIDEO_SUFFIXES and is_video(path))


def _resolve_url(url: str, left_out: LeftOut) -> Iterator[Input]:
    """Find the photos of a URL; a URL that names a single photo is not looked up."""
    if _is_photo_url(url) or url.lower().startswith(("http://", "https://")):
        return iter([Input(url, url)])
    files = [file for file in list_files(url) if not _is_hidden_below(url, file)]
    photos = [Input(photo, photo) for photo in files if _is_photo_url(photo)]
    left_out.pictures.update(count_unsupported(files))
    if not photos:
        raise ImageError(f"{url}: no photo found; expected {', '.join(SUFFIXES)}")
    return iter(photos)


def _is_hidden_below(url: str, file: str) -> bool:
    """Whether a file is hidden, or in a hidden folder, below a URL that names neither."""
    given = {urlsplit(url).netloc, *PurePosixPath(urlsplit(url).path).parts}
    parts = PurePosixPath(urlsplit(file).path).parts
    return any(is_hidden(part) for part in parts if part not in given)


def _is_photo_url(url: str) -> bool:
    path = urlsplit(url).path
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not _is_pattern(path)


def _resolve_list(name: str, left_out: LeftOut, lists: tuple[str, ...]) -> Iterator[Input]:
    """Resolve a list; paths are relative to the working directory, or else to the list's folder."""
    if name in lists or len(lists) == MAX_LISTS:
        raise ConfigError(f"@{name}: the list names itself: {' -> '.join((*lists, name))}")
    for line in read_list(name):
        places = (line, os.path.join(os.path.dirname(name), line))
        entry = line if is_url(line) else next(filter(os.path.lexists, places), "")
        if not entry and line.startswith("#"):
            continue
        try:
            yield from _resolve(entry or line, left_out, (*lists, name))
        except ImageError:  # becomes an input that fails, so that it does not stop the others
            yield _create_input(entry or line)


def _is_inside(where: str, folder: str | Path) -> bool:
    path, parent = local_path(where), local_path(str(folder))
    if path is None or parent is None:
        return where.startswith(f"{str(folder).rstrip('/')}/")
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(parent))


def _detect_medium(item: Input, rasters_only: bool) -> Medium:
    path = local_path(item.where)
    if _is_video(item.where, path):
        return "video"
    if path is None:
        if rasters_only:
            raise ConfigError(f"{item.where}: bands can only be chosen for local files")
        return "photo"
    return "raster" if _is_raster(path, rasters_only) else "photo"


def _is_video(where: str, path: Path | None) -> bool:
    suffix = Path(where).suffix.lower()
    if suffix in SUFFIXES:
        return False
    if suffix in VIDEO_SUFFIXES or path is None:
        return suffix in VIDEO_SUFFIXES
    return os.path.isfile(path) and is_video(path)


def _is_raster(path: Path, rasters_only: bool) -> bool:
    header = read_raster_header(path)
    if header is None:
        return False
    return rasters_only or header.georeferenced or header.height * header.width > MAX_PIXELS
