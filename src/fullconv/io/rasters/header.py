"""What the first bytes of a picture tell: its size, and whether it lies on the earth.

Nothing is decoded and rasterio is not needed, so that every photo can be asked.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Tags of TIFF that place a picture on the earth, or say which pixels hold no data.
_PLACED = {33550: "scale", 33922: "tie points", 34264: "matrix", 34735: "keys", 50844: "RPC"}
_NODATA = 42113
_SIDES = (256, 257)  # width and height
_NUMBERS = {3: "H", 4: "I", 16: "Q"}  # the types that sides come in
_MOST = 4096  # entries of a directory
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG that hold the size


@dataclass(frozen=True)
class Signs:
    """What a picture's head tells.

    Attributes:
        height: pixels.
        width: pixels.
        placed: whether it lies on the earth, or has a value that means no data.
    """

    height: int
    width: int
    placed: bool = False


def look(path: Path) -> Signs | None:
    """The signs of a TIFF, PNG or JPEG; None where it is none of them, or damaged."""
    if not path.is_file():  # opening a pipe would wait for ever
        return None
    try:
        with path.open("rb") as file:
            head = file.read(24)
            signs = _signs(file, head)
    except (OSError, struct.error):
        return None
    if signs is None or signs.placed:
        return signs
    return Signs(signs.height, signs.width, _world_file(path).is_file())


def _signs(file: BinaryIO, head: bytes) -> Signs | None:
    if head[:2] in (b"II", b"MM"):
        return _tiff(file, head)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
        return Signs(height, width)
    return _jpeg(file) if head.startswith(b"\xff\xd8") else None


def _tiff(file: BinaryIO, head: bytes) -> Signs | None:
    order = "<" if head[:2] == b"II" else ">"
    version = struct.unpack(order + "H", head[2:4])[0]
    if version not in (42, 43):
        return None
    start = struct.unpack(order + ("I" if version == 42 else "Q"), _offset(head, version))[0]
    file.seek(start)
    tags = dict(_entries(file, order, version))
    if not all(side in tags for side in _SIDES):
        return None
    placed = bool(tags.keys() & {*_PLACED, _NODATA})
    return Signs(tags[257], tags[256], placed)


def _offset(head: bytes, version: int) -> bytes:
    return head[4:8] if version == 42 else head[8:16]


def _entries(file: BinaryIO, order: str, version: int) -> Iterator[tuple[int, int]]:
    """Each tag with its first number, or 0 where it is none that we ask for."""
    counted, length, at = ("H", 12, 8) if version == 42 else ("Q", 20, 12)
    count = struct.unpack(order + counted, file.read(struct.calcsize(counted)))[0]
    for _ in range(min(count, _MOST)):
        entry = file.read(length)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        form = order + _NUMBERS.get(kind, "H")
        fits = struct.calcsize(form) <= length - at
        yield tag, struct.unpack_from(form, entry, at)[0] if fits and tag in _SIDES else 0


def _jpeg(file: BinaryIO) -> Signs | None:
    file.seek(2)
    for _ in range(_MOST):
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or length < 2:
            return None
        if kind in _FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return Signs(height, width)
        file.seek(length - 2, 1)
    return None


def _world_file(path: Path) -> Path:
    """Where a file with the picture's place would lie: "a.tfw" for "a.tif"."""
    suffix = path.suffix
    return path.with_suffix(f".{suffix[1:2]}{suffix[-1:]}w") if len(suffix) > 1 else path / "none"
