"""Which files lie under a folder."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fullconv.images import SUFFIXES


def pictures(folder: Path) -> list[Path]:
    """Every picture file under `folder`, in a fixed order; hidden files do not count."""
    return sorted(_walk(folder, set()), key=lambda path: path.relative_to(folder).as_posix())


def has_pictures(folder: Path) -> bool:
    """Whether there is any picture under `folder`."""
    return any(True for _ in _walk(folder, set()))


def located(folder: Path, text: str) -> Path | None:
    """The file that a list means: under `folder`, by the longest part of its path that exists.

    Lists carry the paths of their author's machine ("/SegNet/CamVid/train/a.png").
    """
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in "/.."]
    for start in range(len(parts)):
        path = folder.joinpath(*parts[start:])
        if path.is_file():
            return path
    return None


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:  # a link that leads back
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
    except OSError:  # a link that leads to itself; reading it will say so
        return False
