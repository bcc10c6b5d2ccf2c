"""Masks in: their raw values, whole numbers or colours, which a table then makes classes of."""

from pathlib import Path

import numpy as np
from jaxtyping import Integer
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    Header,
    decoded,
    header_of,
    is_deep,
    one_frame,
    opened,
    turned_like,
)

MASK_MODES = ("P", "L", "1", "I;16", "I;16B", "I")


def read_mask(path: Path, like: Header | None = None) -> Integer[np.ndarray, "H W *channels"]:
    """A mask's raw values: (H, W) indices, or (H, W, 3) colours of a colour-coded mask.

    Args:
        path: the mask.
        like: the photo's header. A mask that has the photo's stored size and not its shown size
            was drawn on the unturned photo and is turned like it.

    Raises:
        ImageError: it cannot be read.
    """
    with opened(path) as picture:
        one_frame(picture, path)
        if is_deep(picture):
            raise ImageError(
                "a mask in colours with more than 8 bits a channel",
                expected="8 bits, or one channel with class numbers",
                remedy="export the mask again",
                where=path,
            )
        own = header_of(picture)
        mask = _upright(decoded(picture, path), own, like)
        if mask.mode in ("RGBA", "RGBX", "LA", "PA", "CMYK", "YCbCr"):
            mask = mask.convert("RGB")
        if mask.mode not in (*MASK_MODES, "RGB"):
            raise ImageError(
                f"a mask of type {mask.mode!r}",
                expected="8-bit or 16-bit whole numbers",
                where=path,
            )
        return _values(mask)


def decode_mask(content: bytes, where: str) -> Integer[np.ndarray, "H W"]:
    """The values of a mask out of a file's bytes.

    Args:
        content: the bytes of a PNG with one channel.
        where: what the messages call it.

    Raises:
        ImageError: it cannot be read, or is in colour.
    """
    with opened(Path(where), content) as picture:
        mask = decoded(picture, Path(where))
        if mask.mode not in MASK_MODES:
            raise ImageError(
                f"a mask of type {mask.mode!r}",
                expected="one channel",
                where=where,
            )
        return _values(mask)


def _upright(mask: Image.Image, own: Header, like: Header | None) -> Image.Image:
    if like and like.orientation > 1 and own.size == like.stored != like.size:
        return turned_like(mask, like.orientation)
    return ImageOps.exif_transpose(mask)


def _values(mask: Image.Image) -> Integer[np.ndarray, "H W *channels"]:
    return np.array(mask) if mask.mode != "1" else np.array(mask).astype(np.uint8)
