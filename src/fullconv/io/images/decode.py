"""Open and decode image files within limits, and read their headers."""

import io
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from fullconv.errors import ImageError
from fullconv.io.images import heif
from fullconv.io.images.depth import is_deep
from fullconv.io.images.orientation import SIDEWAYS, orientation_of
from fullconv.io.images.quiet import without_warnings

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF")
"""The only decoders that are used: most of Pillow's security advisories are about other ones.

HEIC files are read too where pillow-heif is installed.
"""

MAX_PIXELS = 250_000_000
"""The largest image that is decoded whole."""

OTHERS = {
    b"jP  ": "JPEG 2000",
    b"JXL ": "JPEG XL",
    b"GIF8": "GIF",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
}

# What Pillow's decoders raise for damaged files, whose fields reach them unchecked.
_DAMAGED: tuple[type[Exception], ...] = (SyntaxError, ValueError, EOFError, TypeError, LookupError)
_DAMAGED += (AttributeError, ArithmeticError, struct.error, zlib.error, UnidentifiedImageError)
_UNREADABLE: tuple[type[Exception], ...] = (OSError, *_DAMAGED)

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def open_image(path: Path, content: bytes | None = None) -> Image.Image:
    """Open an image file, reading only its header.

    Args:
        path: the file, or a name for messages.
        content: the bytes of the file; None reads them from `path`.

    Raises:
        ImageError: the file is missing, not one of `FORMATS`, or larger than `MAX_PIXELS`, or a
            HEIC file without pillow-heif.
    """
    try:
        picture = _open(path, content)
    except ImageError:
        raise
    except FileNotFoundError as error:
        target = f"; it is a link to {path.readlink()}" if path.is_symlink() else ""
        raise ImageError(
            f"there is no such file{target}",
            where=path,
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except _DAMAGED as error:
        raise _not_an_image(path, _head(path, content)) from error
    except OSError as error:
        raise ImageError(
            f"cannot be opened ({error.strerror or error})",
            where=path,
        ) from error
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise _too_large(path)
    return picture


def load_pixels(picture: Image.Image, path: Path) -> Image.Image:
    """Decode an opened image and return it.

    Raises:
        ImageError: the file is damaged or cut short.
    """
    try:
        picture.load()
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return picture


def check_single_frame(
    picture: Image.Image, path: Path, remedy: str = "save the right one as a file of its own"
) -> None:
    """Check that a file holds a single image; an MPO counts as the photo that it begins with.

    Raises:
        ImageError: it holds several, or is damaged.
    """
    frames = _count_frames(picture, path)
    if frames != 1:
        raise ImageError(
            f"{frames} images in one file",
            expected="one",
            remedy=remedy,
            where=path,
        )


def _count_frames(picture: Image.Image, path: Path) -> int:
    """Count the images in a file, for which Pillow may read further headers."""
    try:
        return 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _open(path: Path, content: bytes | None) -> Image.Image:
    if content is None and not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would block
        raise ImageError(
            "a folder or a device, not a file",
            expected="an image file",
            where=path,
        )
    # Pillow warns at half of the limit already, and of damaged EXIF blocks, which are left out.
    with without_warnings():
        head = _head(path, content)
        formats: tuple[str, ...] = FORMATS
        if heif.is_heif(head):
            if not heif.IS_INSTALLED:
                raise _needs_heif(path)
            heif.register()
            formats = (heif.FORMAT,)
        return Image.open(path if content is None else io.BytesIO(content), formats=formats)


def _head(path: Path, content: bytes | None) -> bytes:
    """Return the first bytes of a file, which state its format."""
    if content is not None:
        return content[:12]
    with path.open("rb") as file:
        return file.read(12)


def _needs_heif(path: Path) -> ImageError:
    return ImageError(
        "a HEIC file by its content, which pillow-heif reads and is not installed",
        remedy='pip install "fullconv[heic]", or save it as JPEG',
        where=path,
    )


def _too_large(path: Path) -> ImageError:
    return ImageError(
        f"more than {MAX_PIXELS // 1_000_000} million pixels by its header, which is the limit",
        remedy="cut it into smaller images",
        where=path,
        code="too-large",
    )


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(
        f"the file is damaged or cut short ({error})",
        expected="a complete image",
        remedy="copy it again from its source",
        where=path,
    )


def _not_an_image(path: Path, head: bytes) -> ImageError:
    if heif.is_heif(head):
        return ImageError(
            "a HEIC file that is damaged or cut short",
            expected="a complete image",
            remedy="copy it again from its source",
            where=path,
        )
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return ImageError(
            "a TIFF that is damaged, or of a pixel type that is not read, such as several channels "
            "of floating-point numbers",
            expected="8-bit or 16-bit grey or colour, or one channel of 32-bit numbers",
            remedy="save it as one of these, or read it as rasters:FOLDER?range=0,1",
            where=path,
        )
    other = next((kind for mark, kind in OTHERS.items() if mark in head), None)
    what = f"a {other} file by its content" if other else "not a readable image"
    return ImageError(
        what if head else "an empty file",
        expected=f"one of {', '.join(FORMATS)}",
        remedy="save it as PNG or JPEG, or remove it",
        where=path,
    )


SUFFIXES: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif")
SUFFIXES += heif.SUFFIXES if heif.IS_INSTALLED else ()


@dataclass(frozen=True)
class Header:
    """What is known of an image without decoding it.

    Attributes:
        size: (height, width) after rotation by the EXIF orientation.
        stored: (height, width) as stored.
        mode: Pillow's name of the pixel type, e.g. "RGB", "P", "I;16".
        format: "PNG", "JPEG", ...; an MPO, a JPEG with pictures appended (phones), is a "JPEG".
        orientation: EXIF orientation, 1 (as stored) to 8.
        frames: number of images in the file; 1 for an MPO, of which only the photo is read.
        deep: whether it has more than 8 bits a channel.
    """

    size: tuple[int, int]
    stored: tuple[int, int]
    mode: str
    format: str
    orientation: int
    frames: int
    deep: bool = False


def read_header(path: Path) -> Header:
    """Read the header of an image file.

    Raises:
        ImageError: the file is not an image, or larger than `MAX_PIXELS`.
    """
    with open_image(path) as picture:
        return header_of(picture, path)


def is_deep_file(path: Path) -> bool:
    """Return whether a PNG or TIFF, by its name, has more than 8 bits a channel.

    Of a PNG, only the first bytes are read. False if it cannot be opened.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".png" and stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                head = file.read(25)
            return head[:8] == b"\x89PNG\r\n\x1a\n" and head[24:] == b"\x10"
        if suffix not in (".tif", ".tiff"):
            return False
        with open_image(path) as picture:
            return is_deep(picture)
    except (OSError, ImageError):
        return False


def peek_header(path: Path, content: bytes | None = None) -> Header:
    """Read the header of an image file and no pixels.

    Args:
        path: the file, or a name for messages.
        content: the bytes of the file; None reads them from `path`.

    Returns:
        The header; in a PNG, whose orientation may stand after the pixels, that is 0 if unknown.

    Raises:
        ImageError: the file is not an image, or larger than `MAX_PIXELS`.
    """
    with open_image(path, content) as picture:
        unknown = picture.format == "PNG" and "exif" not in picture.info  # Pillow would decode it
        return header_of(picture, path, 0 if unknown else None)


def header_of(picture: Image.Image, path: Path, orientation: int | None = None) -> Header:
    """Return the header of an opened image; an `orientation` that is given is not read.

    Raises:
        ImageError: the file is damaged.
    """
    stored, deep = (picture.height, picture.width), is_deep(picture)  # before EXIF is read
    orientation = orientation_of(picture) if orientation is None else orientation
    size = stored[::-1] if orientation in SIDEWAYS else stored
    kind = "JPEG" if picture.format == "MPO" else picture.format or ""
    frames = _count_frames(picture, path)
    return Header(size, stored, picture.mode, kind, orientation, frames, deep)
