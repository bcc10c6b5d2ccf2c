"""Resolve paths, globs, lists, manifests and URLs to inputs."""

import glob
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from fullconv.batch.manifest import is_job
from fullconv.errors import ConfigError, ImageError
from fullconv.io.images import MAX_PIXELS, SUFFIXES
from fullconv.io.rasters import look
from fullconv.io.storage import found, is_url, local_path
from fullconv.io.video import SUFFIXES as VIDEOS
from fullconv.io.video import is_video

Medium = Literal["photo", "raster", "video"]


@dataclass(frozen=True)
class Input:
    """One photo, raster or video that is asked about.

    Attributes:
        id: what it is called in manifests; the same on every machine.
        where: its path or URL.
        name: of its answer's files, without suffix.
        medium: which of the three it is; see `media`.
    """

    id: str
    where: str
    name: str = ""
    medium: Medium = "photo"


def resolve_inputs(given: Iterable[str], outside: str | Path | None = None) -> list[Input]:
    """The photos that are meant, in order, each once.

    Args:
        given: photos and videos, folders (with all below them but what is hidden), patterns such as
            "new/*.jpg", URLs, @LIST (a file of them, one a line; @- is standard input), and
            manifests: files that end in .jsonl with {"id": ..., "path": ...} on each line.
        outside: a folder whose files are no inputs, since the answers go there.

    Raises:
        ImageError: something is not there, or a folder holds no photo.
        ConfigError: a list or a manifest that cannot be used, or one id for two photos.
    """
    inputs: dict[str, Input] = {}
    for one in given:
        for item in _meant(one):
            if outside is not None and _inside(item.where, outside):
                continue
            known = inputs.setdefault(item.id, item)
            if os.path.normpath(known.where) != os.path.normpath(item.where):
                raise ConfigError(
                    f"the id {item.id!r} stands for two photos, {known.where} and {item.where}; "
                    "expected each id once"
                )
    if not inputs:
        raise ImageError("all that was given lies where the answers go; choose another --out")
    return list(inputs.values())


def _meant(text: str) -> Iterator[Input]:
    own = local_path(text)
    if text.startswith("@") and not (own and own.exists()):
        yield from _listed(text[1:])
    elif own is None:
        yield from _behind(text)
    elif own.suffix == ".jsonl" and own.is_file():
        yield from _manifest(own)
    elif own.is_dir():
        inside = sorted(_pictures(own))
        if not inside:
            known = ", ".join((*SUFFIXES, *VIDEOS))
            raise ImageError(f"{own} holds no photo or video; expected {known}")
        yield from (_input(str(path)) for path in inside)
    elif own.exists():
        yield _input(str(own))
    elif any(sign in str(own) for sign in "*?["):
        matches = sorted(
            path for path in glob.glob(str(own), recursive=True) if Path(path).is_file()
        )
        if not matches:
            raise ImageError(f"{own}: no file matches this pattern")
        yield from map(_input, matches)
    else:
        raise ImageError(f"{own}: there is no such photo, video or folder")


def _input(where: str) -> Input:
    return Input(PurePosixPath(os.path.normpath(where).replace(os.sep, "/")).as_posix(), where)


def _pictures(folder: Path) -> Iterator[Path]:
    """All photos and videos below a folder, without hidden ones and those that are answers."""
    for parent, folders, files in os.walk(folder):
        if Path(parent) != folder and any(map(is_job, files)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent) / name for name in files if not name.startswith("."))
        yield from (path for path in paths if _is_picture(path))


def _is_picture(path: Path) -> bool:
    suffix = path.suffix.lower()
    return path.is_file() and (suffix in SUFFIXES or (suffix in VIDEOS and is_video(path)))


def _behind(url: str) -> Iterator[Input]:
    """The photos behind a URL; one that is written out is taken at its word, without asking."""
    if _is_photo(url) or url.lower().startswith(("http://", "https://")):
        return iter([Input(url, url)])
    photos = [Input(one, one) for one in found(url) if _is_photo(one)]
    if not photos:
        raise ImageError(f"{url}: there is no photo; expected {', '.join(SUFFIXES)}")
    return iter(photos)


def _listed(name: str) -> Iterator[Input]:
    """The inputs in a list; a path is looked for from here, then from the list's own folder."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"@{name}: the list cannot be read ({reason})") from error
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        beside = Path(name).parent / entry
        if not is_url(entry) and not Path(entry).exists() and beside.exists():
            entry = str(beside)
        yield from _meant(entry) if _exists(entry) else [_input(entry)]


def _exists(entry: str) -> bool:
    """Whether a line of a list can be looked at; one that is missing must not stop the others."""
    return is_url(entry) or Path(entry).exists() or any(sign in entry for sign in "*?[")


def _manifest(path: Path) -> Iterator[Input]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            where = entry.get("path") or entry["url"]
            one = entry.get("id", where)
        except (json.JSONDecodeError, AttributeError, KeyError) as error:
            raise ConfigError(
                f'{path}, line {number}: expected {{"id": ..., "path": ...}}, found {line[:60]!r}'
            ) from error
        if not isinstance(where, str) or not isinstance(one, str | int):
            raise ConfigError(f"{path}, line {number}: expected an id and a path in quotes")
        if not is_url(where) and not Path(where).is_absolute() and not Path(where).exists():
            where = str(path.parent / where)
        yield Input(str(one), where)


def _is_photo(url: str) -> bool:
    path = urlsplit(url).path
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not set("*?[") & set(path)


def _inside(where: str, folder: str | Path) -> bool:
    own, outer = local_path(where), local_path(str(folder))
    if own is None or outer is None:
        return where.startswith(f"{str(folder).rstrip('/')}/")
    return Path(os.path.abspath(own)).is_relative_to(os.path.abspath(outer))


def detect_media(inputs: Iterable[Input], rasters_only: bool = False) -> list[Input]:
    """The inputs, each with its medium.

    Args:
        inputs: from `inputs.resolve_inputs`.
        rasters_only: read every TIFF, PNG and JPEG as a raster, as the choice of bands asks for.

    Raises:
        ConfigError: bands are chosen for a picture that is no file of this machine.
    """
    return [replace(item, medium=_medium(item, rasters_only)) for item in inputs]


def _medium(item: Input, rasters_only: bool) -> Medium:
    path = local_path(item.where)
    if _is_video(item.where, path):
        return "video"
    if path is None:
        if rasters_only:
            raise ConfigError(f"{item.where}: --bands and --range need files of this machine")
        return "photo"
    return "raster" if _is_raster(path, rasters_only) else "photo"


def _is_video(where: str, path: Path | None) -> bool:
    """By its first bytes; by its name where it lies far away or is not there."""
    suffix = Path(where).suffix.lower()
    if suffix in SUFFIXES:
        return False
    return suffix in VIDEOS or (path is not None and path.is_file() and is_video(path))


def _is_raster(path: Path, asked: bool) -> bool:
    """Whether it lies on the earth, is too large to be held whole, or is called a raster."""
    signs = look(path)
    if signs is None:
        return False
    return asked or signs.placed or signs.height * signs.width > MAX_PIXELS
