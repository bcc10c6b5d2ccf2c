"""Read the raw values of masks: whole numbers or colours, which a table maps to classes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer
from PIL import Image

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    Header,
    check_single_frame,
    header_of,
    load_pixels,
    open_image,
)
from fullconv.io.images.depth import exceeds_8_bits
from fullconv.io.images.orientation import rotate
from fullconv.io.palettes import Color

_LOSSY = ("AVIF", "HEIF")  # even where a file is lossless, its colours were converted
_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")  # Pillow's names of compressions
_MOST_CHUNKS = 64  # of a WebP file before its picture
MASK_MODES = ("P", "L", "1", "I;16", "I;16B", "I")


@dataclass(frozen=True)
class StoredMask:
    """A mask as it is stored.

    Attributes:
        values: (H, W) whole numbers, or (H, W, 3) colours.
        palette: the colour of each number, if the file is indexed; None where it is transparent.
    """

    values: Integer[np.ndarray, "H W *channels"]
    palette: tuple[Color | None, ...] | None = None


def read_mask(path: Path, like: Header | None = None) -> Integer[np.ndarray, "H W *channels"]:
    """Read a mask's raw values: (H, W) indices, or (H, W, 3) colours of a colour-coded mask.

    Args:
        path: the mask.
        like: the image's header. A mask that has the image's stored size, and not its size after
            EXIF rotation, was drawn on the unrotated image and is rotated like it.

    Raises:
        ImageError: the mask cannot be read.
    """
    return read_stored_mask(path, like).values


def read_stored_mask(path: Path, like: Header | None = None) -> StoredMask:
    """Read a mask's raw values and its palette; see `read_mask`.

    Raises:
        ImageError: the mask cannot be read, or has transparent pixels.
    """
    with open_image(path) as picture:
        check_single_frame(picture, path)
        _refuse_lossy(picture, path)
        if exceeds_8_bits(picture):
            raise ImageError(
                "a mask in colours with more than 8 bits a channel",
                expected="8 bits, or one channel with class numbers",
                remedy="export the mask again",
                where=path,
            )
        own = header_of(picture, path)
        mask = _rotate(load_pixels(picture, path), own, like)
        if mask.mode not in (*MASK_MODES, "RGB", "RGBA", "RGBX", "LA", "PA", "CMYK", "YCbCr"):
            raise ImageError(
                f"a mask of type {mask.mode!r}",
                expected="8-bit or 16-bit whole numbers",
                where=path,
            )
        _refuse_transparent(mask, path)
        palette = _palette(mask) if mask.mode in ("P", "PA") else None
        return StoredMask(_values(mask), palette)


def _palette(mask: Image.Image) -> tuple[Color | None, ...]:
    """Return the colours of an indexed mask; None for transparent ones, which are not visible."""
    colors: list[Color | None] = [*zip(*[iter(mask.getpalette("RGB") or ())] * 3, strict=True)]
    alpha = mask.info.get("transparency", b"")  # the alpha of each entry, or the transparent entry
    clear = [alpha] if isinstance(alpha, int) else [n for n, value in enumerate(alpha) if not value]
    for number in clear:
        if number < len(colors):
            colors[number] = None
    return tuple(colors)


def _refuse_transparent(mask: Image.Image, path: Path) -> None:
    """Refuse pixels without a visible class: their colour is what the program happened to leave.

    The numbers of indexed and grey files have a class whether they are visible or not.
    """
    if mask.mode in ("RGBA", "LA", "PA"):
        clear = np.asarray(mask.getchannel("A")) == 0
    elif mask.mode == "RGB" and isinstance(mask.info.get("transparency"), tuple):
        clear = (np.asarray(mask) == mask.info["transparency"]).all(2)
    else:
        return
    if clear.any():
        raise ImageError(
            f"{clear.sum():,} transparent pixels in a mask, whose class is not visible",
            expected="an opaque mask",
            remedy="give these pixels a class, or save the mask without transparency",
            where=path,
            code="transparent-mask",
        )


def _refuse_lossy(picture: Image.Image, path: Path) -> None:
    """Refuse a format or a compression that is lossy; who reads masks decides about JPEG."""
    kind = picture.format or ""
    packed = str(picture.info.get("compression", "")) if kind == "TIFF" else ""
    lossy = kind in _LOSSY or packed in _LOSSY_TIFF
    if lossy or (kind == "WEBP" and _is_lossy_webp(path)):
        raise ImageError(
            f"a mask in {kind} with lossy compression{f' ({packed})' if packed else ''}, which "
            "alters labels at every edge",
            expected="PNG",
            remedy="export the masks again as PNG",
            where=path,
            code="lossy-mask",
        )


def _is_lossy_webp(path: Path) -> bool:
    """Return whether the first picture of a WebP file is a VP8 stream; lossless ones are VP8L."""
    with path.open("rb") as file:
        file.seek(12)  # RIFF, size, WEBP
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[:4] in (b"VP8 ", b"VP8L"):
                return head[:4] == b"VP8 "
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, 1)
    return False


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
        return rotate(mask, like.orientation)
    return rotate(mask)


def _values(mask: Image.Image) -> Integer[np.ndarray, "H W *channels"]:
    if mask.mode == "1":
        return np.array(mask).astype(np.uint8)
    if mask.mode in ("LA", "PA"):
        return np.array(mask)[..., 0]
    return np.array(mask if mask.mode in MASK_MODES else mask.convert("RGB"))
