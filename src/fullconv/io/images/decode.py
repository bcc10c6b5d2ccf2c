"""Open and decode pictures within limits; read headers."""

import io
import re
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from fullconv.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""The only decoders ever opened (Pillow's advisories all say: open what you need)."""

MAX_PIXELS = 250_000_000

SIXTEEN = re.compile(r";(16|32|64)")  # in Pillow's name of the stored type, e.g. "RGB;16B"
OTHERS = {b"GIF8": "GIF", b"%PDF": "PDF", b"ftyphei": "HEIC", b"ftypavif": "AVIF", b"8BPS": "PSD"}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def opened(path: Path, content: bytes | None = None) -> Image.Image:
    """A picture whose header is read, and nothing else yet.

    Args:
        path: of the file; what the messages call it.
        content: its bytes, where they are here already.

    Raises:
        ImageError: it is no picture of `FORMATS`, or larger than `MAX_PIXELS`.
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
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise _not_an_image(path) from error
    except OSError as error:
        raise ImageError(
            f"cannot be opened ({error.strerror or error})",
            where=path,
        ) from error
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise _too_large(path)
    return picture


def decoded(picture: Image.Image, path: Path) -> Image.Image:
    """The picture with its pixels.

    Raises:
        ImageError: the file is damaged, or ends too soon.
    """
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(
            f"the file is damaged or cut short ({error})",
            expected="a whole picture",
            remedy="copy it again from where it came from",
            where=path,
        ) from error
    return picture


def one_frame(picture: Image.Image, path: Path) -> None:
    """Make sure that nobody has to say which picture of a file is meant.

    Raises:
        ImageError: it holds several.
    """
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise ImageError(
            f"{frames} pictures in one file",
            expected="one",
            remedy="save the one that is meant",
            where=path,
        )


def is_deep(picture: Image.Image) -> bool:
    """Whether these are colours of 16 bits, of which Pillow would drop the lower 8 unasked.

    It must be asked before anything else, since reading EXIF can decode the picture.
    """
    raw = [str(part) for tile in getattr(picture, "tile", ()) for part in _flat(tile[3])]
    return not picture.mode.startswith(("I", "F")) and any(SIXTEEN.search(part) for part in raw)


def _open(path: Path, content: bytes | None) -> Image.Image:
    if content is None and not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
        raise ImageError(
            "a folder or a device, not a file",
            expected="a picture",
            where=path,
        )
    with warnings.catch_warnings():
        # Pillow warns at half of its limit; our limit is the limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path if content is None else io.BytesIO(content), formats=FORMATS)


def _flat(arguments: object) -> Sequence[object]:
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _too_large(path: Path) -> ImageError:
    return ImageError(
        f"more than {MAX_PIXELS // 1_000_000} million pixels by its header, which is the limit",
        remedy="cut it into smaller pictures",
        where=path,
        code="too-large",
    )


def _not_an_image(path: Path) -> ImageError:
    head = path.read_bytes()[:12] if path.is_file() else b""
    other = next((kind for mark, kind in OTHERS.items() if mark in head), None)
    what = f"a {other} file by its content" if other else "no picture that can be read"
    return ImageError(
        what if head else "an empty file",
        expected=f"one of {', '.join(FORMATS)}",
        remedy="save it as PNG or JPEG, or take it out",
        where=path,
    )


SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
ORIENTATION = 0x0112  # EXIF's tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say, before anything is decoded.

    Attributes:
        size: (height, width) as shown, that is with the EXIF orientation applied.
        stored: (height, width) as stored.
        mode: Pillow's name of the pixel type, e.g. "RGB", "P", "I;16".
        format: "PNG", "JPEG", ...
        orientation: EXIF's number, 1 (as stored) to 8.
        frames: pictures in the file.
    """

    size: tuple[int, int]
    stored: tuple[int, int]
    mode: str
    format: str
    orientation: int
    frames: int


def read_header(path: Path) -> Header:
    """What the picture at `path` is, without decoding it.

    Raises:
        ImageError: it is no picture, or larger than `MAX_PIXELS`.
    """
    with opened(path) as picture:
        return header_of(picture)


def header_of(picture: Image.Image) -> Header:
    """What an opened picture is."""
    stored = (picture.height, picture.width)
    try:
        orientation = int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block does not make the pixels unreadable
        orientation = 1
    size = stored[::-1] if orientation in SIDEWAYS else stored
    frames = getattr(picture, "n_frames", 1)
    return Header(size, stored, picture.mode, picture.format or "", orientation, frames)


def turned_like(picture: Image.Image, orientation: int) -> Image.Image:
    """A copy of a picture, turned as EXIF's number of another says."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    copy = picture.copy()
    copy.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(copy)
