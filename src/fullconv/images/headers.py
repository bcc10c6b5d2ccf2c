"""What a picture is, by its header: its size as shown and as stored, its type, how it is turned."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from fullconv.images.opening import opened

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
