"""Read the size of an image, and whether it is georeferenced, from its first bytes.

Nothing is decoded and rasterio is not needed, so every input can be examined.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# TIFF tags of coordinates: scale, tie points, matrix, keys and RPC.
_COORDINATES = {33550, 33922, 34264, 34735, 50844}
_NODATA = 42113
_WIDTH, _HEIGHT = 256, 257
_FORMATS = {3: "H", 4: "I", 16: "Q"}  # TIFF's types of unsigned integers
_MAX_ENTRIES = 4096  # of a directory; more are damage
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG markers that hold the size


@dataclass(frozen=True)
class RasterHeader:
    """What an image's first bytes say.

    Attributes:
        height: in pixels.
        width: in pixels.
        georeferenced: whether it has coordinates or a nodata value.
    """

    height: int
    width: int
    georeferenced: bool = False


def read_raster_header(path: Path) -> RasterHeader | None:
    """Read the header of a TIFF, PNG or JPEG; None if it is none of them, or damaged."""
    if not os.path.isfile(path):  # opening a pipe would block
        return None
    try:
        with path.open("rb") as file:
            header = parse_raster_header(file)
    except OSError:
        return None
    if header is None or header.georeferenced:
        return header
    return RasterHeader(header.height, header.width, os.path.isfile(_world_file(path)))


def parse_raster_header(file: BinaryIO) -> RasterHeader | None:
    """Read the header of an open TIFF, PNG or JPEG; None if it is none of them, or damaged."""
    try:
        return _read(file, file.read(24))
    except (OSError, ValueError, OverflowError, struct.error):  # an offset of 64 bits overflows
        return None


def _read(file: BinaryIO, head: bytes) -> RasterHeader | None:
    if head[:2] in (b"II", b"MM"):
        return _read_tiff(file, head)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
        return RasterHeader(height, width)
    return _read_jpeg(file) if head.startswith(b"\xff\xd8") else None


def _read_tiff(file: BinaryIO, head: bytes) -> RasterHeader | None:
    order = "<" if head[:2] == b"II" else ">"
    version = struct.unpack(order + "H", head[2:4])[0]
    if version not in (42, 43):  # classic TIFF, BigTIFF
        return None
    kind, offset = ("I", head[4:8]) if version == 42 else ("Q", head[8:16])
    file.seek(struct.unpack(order + kind, offset)[0])
    tags = dict(_directory(file, order, version))
    if _WIDTH not in tags or _HEIGHT not in tags:
        return None
    return RasterHeader(tags[_HEIGHT], tags[_WIDTH], bool(tags.keys() & {*_COORDINATES, _NODATA}))


def _directory(file: BinaryIO, order: str, version: int) -> Iterator[tuple[int, int]]:
    """Each tag with its number if it is the width or the height, else with 0."""
    count_kind, length, value_at = ("H", 12, 8) if version == 42 else ("Q", 20, 12)
    count = struct.unpack(order + count_kind, file.read(struct.calcsize(count_kind)))[0]
    for _ in range(min(count, _MAX_ENTRIES)):
        entry = file.read(length)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        form = order + _FORMATS.get(kind, "H")
        is_side = tag in (_WIDTH, _HEIGHT) and struct.calcsize(form) <= length - value_at
        yield tag, struct.unpack_from(form, entry, value_at)[0] if is_side else 0


def _read_jpeg(file: BinaryIO) -> RasterHeader | None:
    file.seek(2)
    for _ in range(_MAX_ENTRIES):
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or length < 2:
            return None
        if kind in _FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return RasterHeader(height, width)
        file.seek(length - 2, 1)
    return None


def _world_file(path: Path) -> Path:
    """Where an image's world file would be: "a.tfw" for "a.tif"."""
    suffix = path.suffix
    return path.with_suffix(f".{suffix[1:2]}{suffix[-1:]}w") if len(suffix) > 1 else path / "none"
