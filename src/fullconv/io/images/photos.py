"""Read photos as 8-bit RGB; resize."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images.decode import Header, decoded, header_of, is_deep, one_frame, opened

# What can be shown as 8-bit RGB without a choice that the user should make.
PHOTO_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
DEEP = " with more than 8 bits a channel"


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """A photo as RGB in [0, 255], turned as its EXIF orientation says.

    Raises:
        ImageError: it cannot be read, or has more than 8 bits a channel.
    """
    with opened(path) as picture:
        return _photo(picture, path)


def decode_image(content: bytes, where: str) -> UInt8[np.ndarray, "H W 3"]:
    """A photo out of a file's bytes, as `read_image` gives it.

    Args:
        content: the bytes of a PNG, a JPEG, ...
        where: what the messages call it.

    Raises:
        ImageError: it cannot be read.
    """
    with opened(Path(where), content) as picture:
        return _photo(picture, Path(where))


def rgb_from_pil(picture: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """A PIL image as an RGB array, turned as its EXIF orientation says."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode == "P" and "transparency" in turned.info:
        turned = turned.convert("RGBA")  # of which the colours are those of the palette
    return np.array(turned.convert("RGB"))


def glance(path: Path, size: tuple[int, int]) -> tuple[Header, UInt8[np.ndarray, "h w"], float]:
    """A photo's header, a small grey picture of it as stored, and the share of it that is opaque.

    The file is decoded to its end, so that damage is found; a JPEG at a part of its size.

    Args:
        path: the photo, of any pixel type.
        size: (height, width) of the small picture.

    Raises:
        ImageError: it cannot be read to its end.
    """
    with opened(path) as picture:
        one_frame(picture, path)
        if is_deep(picture):
            raise ImageError(
                f"a photo of type {picture.mode!r}{DEEP}",
                expected="8 bits",
                where=path,
            )
        header = header_of(picture)
        picture.draft("L", (2 * size[1], 2 * size[0]))
        picture = decoded(picture, path)
        if picture.mode.startswith(("I", "F")):
            values = np.asarray(picture, np.float32)
            spread = float(np.ptp(values)) or 1.0
            picture = Image.fromarray(((values - values.min()) / spread * 255).astype(np.uint8))
        small = picture.convert("L").resize(size[::-1], Image.Resampling.BOX)
        return header, np.array(small), _opaque(picture)


def _photo(picture: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    one_frame(picture, path)
    deep = is_deep(picture) or picture.mode.startswith(("I", "F"))
    if deep or picture.mode not in PHOTO_MODES:
        raise ImageError(
            f"a photo of type {picture.mode!r}{(DEEP if deep else '')}",
            expected="8-bit grey or colour",
            remedy="convert it, choosing what becomes black and white",
            where=path,
        )
    return rgb_from_pil(decoded(picture, path))


def _opaque(picture: Image.Image) -> float:
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
    """A photo in another size (height, width), antialiased."""
    if image.shape[:2] == tuple(size):
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)


def scale_labels(
    labels: UInt8[np.ndarray, "H W"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Labels in another size (height, width): each takes the nearest pixel's, none is invented."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(resized)
