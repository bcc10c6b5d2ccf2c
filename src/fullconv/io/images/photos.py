"""Read photos as 8-bit RGB, and resize images and labels."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images.decode import (
    Header,
    check_single_frame,
    exceeds_8_bits,
    header_of,
    load_pixels,
    open_image,
)

# Pixel types that become 8-bit RGB without a choice of the user (which values are black and white).
PHOTO_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
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


def rgb_from_pil(picture: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """Convert a PIL image to an RGB array, rotated by its EXIF orientation."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode == "P" and "transparency" in turned.info:
        turned = turned.convert("RGBA")  # keeps the palette's colours under transparent pixels
    return np.array(turned.convert("RGB"))


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
    return rgb_from_pil(load_pixels(picture, path))


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
    """Resize an image to `size` (height, width), bilinear and antialiased."""
    if image.shape[:2] == tuple(size):
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)


def scale_labels(
    labels: UInt8[np.ndarray, "H W"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Resize labels to `size` (height, width), nearest neighbour."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(resized)
