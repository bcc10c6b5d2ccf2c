"""Read the raw values of masks: whole numbers or colours, which a table maps to classes."""

from pathlib import Path

import numpy as np
from jaxtyping import Integer
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    Header,
    check_single_frame,
    exceeds_8_bits,
    header_of,
    load_pixels,
    open_image,
    rotate_like,
)

MASK_MODES = ("P", "L", "1", "I;16", "I;16B", "I")


def read_mask(path: Path, like: Header | None = None) -> Integer[np.ndarray, "H W *channels"]:
    """Read a mask's raw values: (H, W) indices, or (H, W, 3) colours of a colour-coded mask.

    Args:
        path: the mask.
        like: the image's header. A mask that has the image's stored size, and not its size after
            EXIF rotation, was drawn on the unrotated image and is rotated like it.

    Raises:
        ImageError: the mask cannot be read.
    """
    with open_image(path) as picture:
        check_single_frame(picture, path)
        if exceeds_8_bits(picture):
            raise ImageError(
                "a mask in colours with more than 8 bits a channel",
                expected="8 bits, or one channel with class numbers",
                remedy="export the mask again",
                where=path,
            )
        own = header_of(picture)
        mask = _rotate(load_pixels(picture, path), own, like)
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
    """Decode a mask with one channel from the bytes of a file.

    Args:
        content: the bytes, e.g. of a PNG.
        where: a name for messages.

    Raises:
        ImageError: the bytes cannot be read, or are in colour.
    """
    with open_image(Path(where), content) as picture:
        mask = load_pixels(picture, Path(where))
        if mask.mode not in MASK_MODES:
            raise ImageError(
                f"a mask of type {mask.mode!r}",
                expected="one channel",
                where=where,
            )
        return _values(mask)


def _rotate(mask: Image.Image, own: Header, like: Header | None) -> Image.Image:
    if like and like.orientation > 1 and own.size == like.stored != like.size:
        return rotate_like(mask, like.orientation)
    return ImageOps.exif_transpose(mask)


def _values(mask: Image.Image) -> Integer[np.ndarray, "H W *channels"]:
    return np.array(mask) if mask.mode != "1" else np.array(mask).astype(np.uint8)
