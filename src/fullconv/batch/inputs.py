"""Resolve paths, globs, lists, manifests and URLs to inputs, and tell photos from rasters."""

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from fullconv.batch.manifest import is_job_file
from fullconv.errors import ConfigError, ImageError
from fullconv.io.images import MAX_PIXELS, SUFFIXES
from fullconv.io.rasters import read_raster_header
from fullconv.io.storage import is_url, list_files, local_path
from fullconv.io.text import parse_json
from fullconv.io.video import SUFFIXES as VIDEO_SUFFIXES
from fullconv.io.video import is_video

Medium = Literal["photo", "raster", "video"]


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


def resolve_inputs(sources: Iterable[str], outside: str | Path | None = None) -> list[Input]:
    """Return the inputs that `sources` name, in order, each once.

    Args:
        sources: photos and videos, folders (recursively, without hidden files), patterns such as
            "new/*.jpg", URLs, @LIST (a file with one source per line; @- is standard input), and
            manifests: .jsonl files with {"id": ..., "path": ...} on each line.
        outside: the output folder; files in it are not inputs.

    Raises:
        ImageError: a source does not exist, or a folder has no photo or video.
        ConfigError: a list or manifest is invalid, or two inputs have the same id.
    """
    inputs: dict[str, Input] = {}
    for source in sources:
        for item in _resolve(source):
            if outside is not None and _is_inside(item.where, outside):
                continue
            known = inputs.setdefault(item.id, item)
            if os.path.normpath(known.where) != os.path.normpath(item.where):
                raise ConfigError(
                    f"two inputs have the id {item.id!r}: {known.where} and {item.where}; "
                    "expected unique ids"
                )
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


def _resolve(source: str) -> Iterator[Input]:
    path = local_path(source)
    if source.startswith("@") and not (path and path.exists()):
        yield from _read_list(source[1:])
    elif path is None:
        yield from _resolve_url(source)
    elif path.suffix == ".jsonl" and path.is_file():
        yield from _read_manifest(path)
    elif path.is_dir():
        pictures = sorted(_find_pictures(path))
        if not pictures:
            expected = ", ".join((*SUFFIXES, *VIDEO_SUFFIXES))
            raise ImageError(f"{path} holds no photo or video; expected {expected}")
        yield from (_create_input(str(picture)) for picture in pictures)
    elif path.exists():
        yield _create_input(str(path))
    elif _is_pattern(str(path)):
        matches = sorted(
            match for match in glob.glob(str(path), recursive=True) if Path(match).is_file()
        )
        if not matches:
            raise ImageError(f"{path}: no file matches this pattern")
        yield from map(_create_input, matches)
    else:
        raise ImageError(f"{path}: no such photo, video or folder")


def _create_input(where: str) -> Input:
    return Input(PurePosixPath(os.path.normpath(where).replace(os.sep, "/")).as_posix(), where)


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _find_pictures(folder: Path) -> Iterator[Path]:
    """Find photos and videos below a folder, except hidden files and output folders."""
    for parent, folders, files in os.walk(folder):
        if Path(parent) != folder and any(map(is_job_file, files)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent) / name for name in files if not name.startswith("."))
        yield from (path for path in paths if _is_picture(path))


def _is_picture(path: Path) -> bool:
    suffix = path.suffix.lower()
    return path.is_file() and (suffix in SUFFIXES or (suffix in VIDEO_SUFFIXES and is_video(path)))


def _resolve_url(url: str) -> Iterator[Input]:
    """Find the photos of a URL; a URL that names a single photo is not looked up."""
    if _is_photo_url(url) or url.lower().startswith(("http://", "https://")):
        return iter([Input(url, url)])
    photos = [Input(photo, photo) for photo in list_files(url) if _is_photo_url(photo)]
    if not photos:
        raise ImageError(f"{url}: no photo found; expected {', '.join(SUFFIXES)}")
    return iter(photos)


def _is_photo_url(url: str) -> bool:
    path = urlsplit(url).path
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not _is_pattern(path)


def _read_list(name: str) -> Iterator[Input]:
    """Read a list; paths are relative to the working directory, or else to the list's folder."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"@{name}: the list cannot be read ({reason})") from error
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        sibling = Path(name).parent / entry
        if not is_url(entry) and not Path(entry).exists() and sibling.exists():
            entry = str(sibling)
        # A missing file becomes an input that fails, so that it does not stop the others.
        exists = is_url(entry) or Path(entry).exists() or _is_pattern(entry)
        yield from _resolve(entry) if exists else [_create_input(entry)]


def _read_manifest(path: Path) -> Iterator[Input]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = parse_json(line)
            where = entry.get("path") or entry["url"]
            input_id = entry.get("id", where)
        except (ValueError, AttributeError, KeyError) as error:
            raise ConfigError(
                f'{path}, line {number}: expected {{"id": ..., "path": ...}}, found {line[:60]!r}'
            ) from error
        if not isinstance(where, str) or not isinstance(input_id, str | int):
            raise ConfigError(f"{path}, line {number}: expected id and path to be strings")
        if not is_url(where) and not Path(where).is_absolute() and not Path(where).exists():
            where = str(path.parent / where)
        yield Input(str(input_id), where)


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
    return suffix in VIDEO_SUFFIXES or (path is not None and path.is_file() and is_video(path))


def _is_raster(path: Path, rasters_only: bool) -> bool:
    header = read_raster_header(path)
    if header is None:
        return False
    return rasters_only or header.georeferenced or header.height * header.width > MAX_PIXELS
