"""Write label maps as indexed PNG, and images as PNG or JPEG."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from fullconv.io.atomic import write_bytes
from fullconv.io.palettes import Palette, full_palette


def encode_labels(labels: UInt8[np.ndarray, "H W"], palette: Palette) -> bytes:
    """Encode labels as an 8-bit indexed PNG: pixel values are the classes.

    The palette always has 256 entries: with fewer, Pillow 13 packs the pixels to 4 bits and less.
    """
    picture = Image.fromarray(labels)
    picture.putpalette(np.array(full_palette(palette), np.uint8).tobytes())
    return _encode(picture, "PNG")


def encode_png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Encode an RGB image as PNG."""
    return _encode(Image.fromarray(image), "PNG")


def encode_grey(values: UInt8[np.ndarray, "H W"]) -> bytes:
    """Encode one channel of 8 bits as a grey PNG, without changing its values."""
    return _encode(Image.fromarray(values), "PNG")


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int = 90) -> bytes:
    """Encode an RGB image as JPEG; `quality` from 1 to 95."""
    return _encode(Image.fromarray(image), "JPEG", quality=quality)


def write_labels(path: Path, labels: UInt8[np.ndarray, "H W"], palette: Palette) -> None:
    """Write labels as an indexed PNG, atomically."""
    write_bytes(path, encode_labels(labels, palette))


def write_image(path: Path, image: UInt8[np.ndarray, "H W 3"]) -> None:
    """Write an RGB image atomically, as JPEG if its name ends in .jpg or .jpeg, else as PNG."""
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    write_bytes(path, encode_jpeg(image) if jpeg else encode_png(image))


def _encode(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
