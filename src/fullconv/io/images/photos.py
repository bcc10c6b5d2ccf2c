"""Read photos as 8-bit RGB, also those with more bits."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    Header,
    check_single_frame,
    header_of,
    load_pixels,
    open_image,
    read_header,
)
from fullconv.io.images.depth import Opened, has_all_bits, is_deep, read_deep
from fullconv.io.images.orientation import rotate
from fullconv.io.palettes import BLOCK_PIXELS
from fullconv.io.value_range import ValueRange, scale_values

# Pixel types that become 8-bit RGB without a choice of the user (which values are black and white).
PHOTO_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
_DECODING = 4 * 2**20  # bytes, beside those of the pixels
# Bytes per pixel that a decoder holds, measured. Progressive JPEG is decoded from coefficients of
# the whole photo.
_DECODER_BYTES = {"PNG": 0, "BMP": 0, "JPEG": 6, "MPO": 6, "WEBP": 12, "AVIF": 6, "HEIF": 6}
TOO_DEEP = " with more than 8 bits a channel"


def read_image(path: Path, value_range: ValueRange | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """Read a photo as RGB in [0, 255], rotated by its EXIF orientation.

    Args:
        path: the file.
        value_range: the values that become 0 and 255 in a photo with more than 8 bits a channel;
            None refuses such photos.

    Raises:
        ImageError: the file cannot be read, or has more than 8 bits a channel and no range.
    """
    return scale_photo(read_photo(path), value_range, path)


def read_photo(path: Path) -> Shaped[np.ndarray, "H W 3"]:
    """Read a photo as `read_image` does; one with more than 8 bits keeps its own values.

    Returns:
        RGB in [0, 255] of uint8, or uint16, int32, uint32 or float32; a view if it is grey.

    Raises:
        ImageError: the file cannot be read.
    """
    with open_image(path) as picture:
        return _read_values(picture, path, lambda: open_image(path))


def decode_image(
    content: bytes, where: str, value_range: ValueRange | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """Decode a photo from the bytes of a file, as `read_image` does.

    Args:
        content: the bytes, e.g. of a PNG or a JPEG.
        where: a name for messages.
        value_range: as for `read_image`.

    Raises:
        ImageError: the bytes cannot be read.
    """
    path = Path(where)
    with open_image(path, content) as picture:
        values = _read_values(picture, path, lambda: open_image(path, content))
    return scale_photo(values, value_range, path)


def scale_photo(
    values: Shaped[np.ndarray, "H W 3"], value_range: ValueRange | None, where: Path | str
) -> UInt8[np.ndarray, "H W 3"]:
    """Scale the values of a photo to RGB in [0, 255]; 8-bit values are returned as they are.

    Raises:
        ImageError: it has more than 8 bits, and there is no range.
    """
    if values.dtype == np.uint8:
        return values
    if value_range is None:
        finite = values[np.isfinite(values)]
        extremes = f" ({finite.min():g} to {finite.max():g})" if finite.size else ""
        raise ImageError(
            f"a photo{TOO_DEEP}{extremes}, and no value range is known for it",
            expected="8-bit grey or colour, or such photos in the training set, by whose values it "
            "is chosen",
            remedy="convert it, and choose which values become black and white",
            where=where,
        )
    if values.strides[2] == 0:  # grey: one channel, three times
        return np.repeat(scale_values(values[..., :1], value_range), 3, 2)
    return scale_values(values, value_range)


def rgb_from_pil(picture: Any, value_range: ValueRange | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """Convert a PIL image to an RGB array, by the same rules as a photo in a file.

    Raises:
        ImageError: it has several frames, cannot be decoded, or has more than 8 bits a channel and
            there is no range, or it is in colours, of which Pillow drops the lower bits.
    """
    if not isinstance(picture, Image.Image):
        raise ImageError(
            f"no image can be read from the type {type(picture).__name__}",
            expected="a path, a file or its bytes, a NumPy array, a PIL image, or a list of these",
        )
    name = getattr(picture, "filename", "")
    where = Path(name if name and isinstance(name, str | Path) else "PIL image")
    check_single_frame(picture, where, "pass the right one, picture.copy() after picture.seek(N)")
    if not picture.width or not picture.height:
        raise ImageError(f"{picture.height} x {picture.width} pixels", where=where)
    return scale_photo(_read_values(picture, where, None), value_range, where)


def read_thumbnail(
    path: Path, size: tuple[int, int]
) -> tuple[Header, UInt8[np.ndarray, "h w"], float]:
    """Read a photo's header and a grey thumbnail of it as stored.

    The file is decoded to its end, which finds damage; a JPEG at a part of its size.

    Args:
        path: the photo, of any pixel type.
        size: (height, width) of the thumbnail.

    Returns:
        The header, the thumbnail, and the share of opaque pixels in [0, 1].

    Raises:
        ImageError: the file is damaged or cut short.
    """
    with open_image(path) as picture:
        check_single_frame(picture, path)
        if is_deep(picture):
            header = read_header(path)  # of another object, since it may decode the image
            _refuse_partial(picture, path)
            values = read_deep(picture, _loader(path), lambda: open_image(path), turn=False)
            picture = Image.fromarray(scale_values(values, value_extremes(values)))
        else:
            header = header_of(picture, path)
            picture.draft("L", (2 * size[1], 2 * size[0]))
            picture = load_pixels(picture, path)
        small = picture.convert("L").resize(size[::-1], Image.Resampling.BOX)
        return header, np.array(small), _opaque_share(picture)


def value_extremes(values: Shaped[np.ndarray, "..."]) -> ValueRange:
    """Return the smallest and the largest finite value, or two that differ if all are equal."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, high if high > low else low + 1


def _loader(path: Path) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: load_pixels(picture, path)


def _refuse_partial(picture: Image.Image, path: Path) -> None:
    """Refuse a deep image of which only a part of the channels or bits would be read."""
    if not has_all_bits(picture):
        raise ImageError(
            f"a photo of type {picture.mode!r}{TOO_DEEP}, as grey and alpha, CMYK, four bands or "
            "planes",
            expected="16-bit grey, RGB or RGBA, or one channel of 32-bit numbers",
            remedy="save it so, or read it as rasters:FOLDER?bands=1,2,3&range=0,65535",
            where=path,
            code="16-bit",
        )


def _read_values(
    picture: Image.Image, path: Path, again: Opened | None
) -> Shaped[np.ndarray, "H W 3"]:
    """Decode a photo; `again` opens it once more, None if only its decoded image exists."""
    check_single_frame(picture, path)
    deep = is_deep(picture)
    if not deep and picture.mode not in PHOTO_MODES:
        raise ImageError(
            f"a photo of type {picture.mode!r}",
            expected="8-bit grey or colour",
            remedy="convert it, and choose which values become black and white",
            where=path,
        )
    if not deep:
        return _read_rgb(picture, path)
    if again is None and not picture.mode.startswith(("I", "F")):
        raise ImageError(
            f"a PIL image of type {picture.mode!r}{TOO_DEEP}, of which Pillow drops the lower bits",
            expected="its file",
            remedy="pass the path or the bytes of the file",
            where=path,
        )
    _refuse_partial(picture, path)
    values: np.ndarray = read_deep(picture, _loader(path), again or (lambda: picture))
    if values.ndim == 2:
        values = np.broadcast_to(values[..., None], (*values.shape, 3))
    return values


def _read_rgb(picture: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    turned = rotate(load_pixels(picture, path))
    image = np.empty((turned.height, turned.width, 3), np.uint8)
    step = max(1, BLOCK_PIXELS // turned.width)
    for top in range(0, turned.height, step):  # converted whole, it would take 20 bytes per pixel
        bottom = min(top + step, turned.height)
        part = turned.crop((0, top, turned.width, bottom))
        if part.mode == "P" and "transparency" in part.info:
            part = part.convert("RGBA")  # keeps the palette's colours under transparent pixels
        image[top:bottom] = np.asarray(part.convert("RGB"))
    return image


def decoding_bytes(header: Header) -> int:
    """Return the most bytes that reading a photo takes, besides those of its file."""
    pixel = 1 if header.mode in ("L", "P", "1") else 4  # as Pillow stores it
    turned = 2 if header.orientation != 1 else 1
    decoder = _DECODER_BYTES.get(header.format, pixel)
    after = pixel * turned + 3
    # The numbers of a photo with more than 8 bits, and half of the colours before.
    values = 0 if not header.deep else 4 if header.mode.startswith(("I", "F")) else 12
    return prod(header.size) * (max(pixel + decoder, after) + values) + _DECODING


def _opaque_share(picture: Image.Image) -> float:
    if picture.mode not in ("RGBA", "LA", "PA"):
        return 1.0
    return float((np.asarray(picture.getchannel("A")) == 255).mean())
