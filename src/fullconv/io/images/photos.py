"""Read photos as 8-bit RGB, and resize images and labels."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    ORIENTATION,
    Header,
    check_single_frame,
    exceeds_8_bits,
    header_of,
    load_pixels,
    open_image,
)
from fullconv.io.palettes import BLOCK_PIXELS

# Pixel types that become 8-bit RGB without a choice of the user (which values are black and white).
PHOTO_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
_DECODING = 4 * 2**20  # bytes, beside those of the pixels
# Bytes per pixel that a decoder holds, measured. Progressive JPEG is decoded from coefficients of
# the whole photo.
_DECODER_BYTES = {"PNG": 0, "BMP": 0, "JPEG": 6, "MPO": 6, "WEBP": 12, "AVIF": 6, "HEIF": 6}
TOO_DEEP = " with more than 8 bits a channel"


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read a photo as RGB in [0, 255], rotated by its EXIF orientation.

    Raises:
        ImageError: the file cannot be read, or has more than 8 bits a channel.
    """
    with open_image(path) as picture:
        return _read_rgb(picture, path)


def decode_image(content: bytes, where: str) -> UInt8[np.ndarray, "H W 3"]:
    """Decode a photo from the bytes of a file, as `read_image` does.

    Args:
        content: the bytes, e.g. of a PNG or a JPEG.
        where: a name for messages.

    Raises:
        ImageError: the bytes cannot be read.
    """
    with open_image(Path(where), content) as picture:
        return _read_rgb(picture, Path(where))


def rgb_from_pil(picture: Any) -> UInt8[np.ndarray, "H W 3"]:
    """Convert a PIL image to an RGB array, by the same rules as a photo in a file.

    Raises:
        ImageError: it has several frames, more than 8 bits a channel, or cannot be decoded.
    """
    if not isinstance(picture, Image.Image):
        raise ImageError(
            f"no image can be read from the type {type(picture).__name__}",
            expected="a path, a file or its bytes, an array or a PIL image",
        )
    name = getattr(picture, "filename", "")
    where = Path(name if name and isinstance(name, str | Path) else "PIL image")
    check_single_frame(picture, where, "pass the right one, picture.copy() after picture.seek(N)")
    if not picture.width or not picture.height:
        raise ImageError(f"{picture.height} x {picture.width} pixels", where=where)
    return _read_rgb(picture, where)


def rgb_from_array(array: np.ndarray) -> UInt8[np.ndarray, "H W 3"]:
    """Return an array as an RGB image, by the same rules as a photo in a file.

    Args:
        array: uint8, RGB (H, W, 3), or grey (H, W) or (H, W, 1).

    Raises:
        ImageError: any other shape or type, or masked values.
    """
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    if not shaped or array.dtype != np.uint8 or not array.size or np.ma.is_masked(array):
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype}{_range(array)}",
            expected="an image (height, width, 3) in RGB or (height, width) in grey, of type uint8",
            remedy=_array_remedy(array),
        )
    image = np.asarray(array)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, 2)
    # PyTorch takes no negative strides, which NumPy calls contiguous where a side is 1 pixel.
    plain = image.flags.c_contiguous and image.flags.writeable and min(image.strides) >= 0
    return image if plain else image.copy()


def _range(array: np.ndarray) -> str:
    """Return the range of an array's values as text, with NaN and infinity; "" for uint8."""
    if array.dtype == np.uint8 or array.dtype.kind not in "iuf" or not array.size:
        return ""
    finite = array[np.isfinite(array)]
    if not finite.size:
        return " without a finite value"
    strange = ", some of them not finite" if finite.size < array.size else ""
    return f" with values from {finite.min():g} to {finite.max():g}{strange}"


def _array_remedy(array: np.ndarray) -> str:
    if np.ma.is_masked(array):
        return "fill the masked values"
    if not array.size:
        return ""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        return "channels come last: array.transpose(1, 2, 0)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "pass red, green and blue only, e.g. array[..., :3] of RGBA"
    if array.ndim == 4:
        return "pass the images one by one, or as a list"
    if array.dtype.kind == "b":
        return "convert it, e.g. array.astype(np.uint8) * 255"
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:  # not with NaN
        return "convert it, e.g. (array * 255).round().astype(np.uint8)"
    return "convert it, and choose which values become black (0) and white (255)"


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
        if exceeds_8_bits(picture):
            raise ImageError(
                f"a photo of type {picture.mode!r}{TOO_DEEP}",
                expected="8 bits",
                where=path,
            )
        header = header_of(picture)
        picture.draft("L", (2 * size[1], 2 * size[0]))
        picture = load_pixels(picture, path)
        if picture.mode.startswith(("I", "F")):
            values = np.asarray(picture, np.float32)
            spread = float(np.ptp(values)) or 1.0
            picture = Image.fromarray(((values - values.min()) / spread * 255).astype(np.uint8))
        small = picture.convert("L").resize(size[::-1], Image.Resampling.BOX)
        return header, np.array(small), _opaque_share(picture)


def _read_rgb(picture: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    check_single_frame(picture, path)
    deep = exceeds_8_bits(picture) or picture.mode.startswith(("I", "F"))
    if deep or picture.mode not in PHOTO_MODES:
        raise ImageError(
            f"a photo of type {picture.mode!r}{(TOO_DEEP if deep else '')}",
            expected="8-bit grey or colour",
            remedy="convert it, and choose which values become black and white",
            where=path,
        )
    turned = load_pixels(picture, path)
    if turned.getexif().get(ORIENTATION, 1) != 1:  # else Pillow would copy it
        turned = ImageOps.exif_transpose(turned)
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
    return prod(header.size) * max(pixel + decoder, after) + _DECODING


def _opaque_share(picture: Image.Image) -> float:
    if picture.mode not in ("RGBA", "LA", "PA"):
        return 1.0
    return float((np.asarray(picture.getchannel("A")) == 255).mean())


def fit_size(
    size: tuple[int, ...], limit: tuple[int, int] | None, factor: float = 1.0
) -> tuple[int, int]:
    """Return the (height, width) of an image downscaled to fit `limit`, then scaled by `factor`.

    Training, prediction and test-time augmentation all resize to this size. The aspect ratio is
    kept up to rounding; no side is less than 1. An image is never enlarged to reach `limit`.

    Args:
        size: (height, width, ...) of the image, for example its shape.
        limit: maximum (height, width); None for no limit.
        factor: additional scale, for example of augmentation or test-time augmentation.
    """
    height, width = size[:2]
    shrink = min(1.0, limit[0] / height, limit[1] / width) if limit else 1.0
    return max(1, round(height * shrink * factor)), max(1, round(width * shrink * factor))


def scale_image(
    image: UInt8[np.ndarray, "H W 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """Resize an image to `size` (height, width), bilinear and antialiased: the width first."""
    if image.shape[:2] == tuple(size):
        return image
    # One side after the other: Pillow's own order depends on the sizes and on its version, and
    # windows of a raster are scaled alike (`ScaledImage`).
    wide = Image.fromarray(image).resize((size[1], image.shape[0]), Image.Resampling.BILINEAR)
    return np.array(wide.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def scale_labels(
    labels: UInt8[np.ndarray, "H W"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Resize labels to `size` (height, width), nearest neighbour."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(resized)
