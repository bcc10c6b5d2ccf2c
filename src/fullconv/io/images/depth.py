"""Images with more than 8 bits a channel: recognize them, and read all of their bits."""

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from fullconv.io.images.orientation import rotate

_HIGH_DEPTH = re.compile(r";(16|32|64)")  # in Pillow's names of stored types, e.g. "RGB;16B"
_DEEP_COLORS = re.compile(r"(RGB|RGBA);16[LBN]")
_BITS, _CHANNELS, _LAYOUT, _FORMAT = 258, 277, 284, 339  # TIFF tags
_PLANES, _UNSIGNED = 2, 1  # values of the last two

Opened = Callable[[], Image.Image]
"""Opens the same image again, without decoding it."""


def is_deep(picture: Image.Image) -> bool:
    """Whether an opened image has more than 8 bits a channel.

    Has to be called before the image is decoded, which reading EXIF may do: of colours Pillow
    silently drops the lower 8 bits.
    """
    return picture.mode.startswith(("I", "F")) or exceeds_8_bits(picture)


def exceeds_8_bits(picture: Image.Image) -> bool:
    """Whether the colours have 16 bits; see `is_deep`."""
    if picture.mode.startswith(("I", "F")):
        return False
    bits = _tags(picture).get(_BITS) or (8,)
    names = (name for tile in getattr(picture, "tile", ()) for name in _raw_names(tile))
    return max(_as_tuple(bits)) > 8 or any(_HIGH_DEPTH.search(name) for name in names)


def has_all_bits(picture: Image.Image) -> bool:
    """Whether `read_deep` reads all channels and bits of a deep image.

    It does not for 16-bit grey with alpha, CMYK, four bands, and colours stored in planes.
    """
    tags = _tags(picture)
    if tags.get(_LAYOUT) == _PLANES and tags.get(_CHANNELS, 1) > 1:
        return False
    if picture.mode.startswith(("I", "F")):
        return int(tags.get(_CHANNELS, 1)) == 1
    tiles = getattr(picture, "tile", ())
    return bool(tiles) and all(_DEEP_COLORS.fullmatch(_raw_names(tile)[0]) for tile in tiles)


def read_deep(
    picture: Image.Image,
    load: Callable[[Image.Image], Image.Image],
    again: Opened,
    turn: bool = True,
) -> Any:
    """Decode a deep image; see `has_all_bits`.

    Args:
        picture: opened, and not decoded.
        load: decodes an image.
        again: opens it once more, since the two bytes of 16-bit colours are decoded one by one.
        turn: whether to rotate it by the EXIF orientation.

    Returns:
        (H, W) or (H, W, 3) of uint16, int32, uint32 or float32.
    """
    if not picture.mode.startswith(("I", "F")):
        return _read_colors(picture, load, again, turn)
    unsigned = _tags(picture).get(_FORMAT, _UNSIGNED) in (_UNSIGNED, (_UNSIGNED,))
    wide = max(_as_tuple(_tags(picture).get(_BITS) or (16,))) == 32
    values = np.asarray(_turned(load(picture), turn))
    if picture.mode == "I" and unsigned and wide:  # Pillow takes them for signed
        return values.view(np.uint32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _read_colors(
    picture: Image.Image,
    load: Callable[[Image.Image], Image.Image],
    again: Opened,
    turn: bool,
) -> Shaped[np.ndarray, "H W 3"]:
    # Pillow keeps one byte of each number: the first as "16B" is read, the second as "16L". In a
    # file that is big-endian the first one is the higher, in others the second.
    name = _raw_names(picture.tile[0])[0]  # type: ignore[attr-defined]
    big = name.endswith("B") or (name.endswith("N") and sys.byteorder == "big")
    values = np.empty(0, np.uint16)
    for order, factor in (("B", 256 if big else 1), ("L", 1 if big else 256)):
        with again() as part:
            tiles = [_read_as(tile, order) for tile in part.tile]  # type: ignore[attr-defined]
            part.tile = tiles  # type: ignore[attr-defined]
            half = np.asarray(_turned(load(part), turn))[..., :3]
        if order == "B":
            values = half * np.uint16(factor)
        else:
            values += half * np.uint16(factor)
    return values


def _read_as(tile: Any, order: str) -> Any:
    name, *others = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    args = f"{name[:-1]}{order}"
    return tile._replace(args=(args, *others) if isinstance(tile.args, tuple) else args)


def _turned(picture: Image.Image, turn: bool) -> Image.Image:
    return rotate(picture) if turn else picture


def _raw_names(tile: Any) -> list[str]:
    return [str(part) for part in _as_tuple(tile[3])]


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _tags(picture: Image.Image) -> Any:
    return getattr(picture, "tag_v2", None) or {}
