"""HEIC photos, as phones store them; decoded by pillow-heif, which is optional (extra `heic`)."""

from functools import cache
from importlib.util import find_spec

from PIL import Image

from fullconv.errors import require

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""What a HEIC file states about itself in its bytes 8 to 11."""

FORMAT = "HEIF"
"""Pillow's name of the format."""

IS_INSTALLED = find_spec("pillow_heif") is not None
SUFFIXES = (".heic", ".heif", ".hif")


def is_heif(head: bytes) -> bool:
    """Return whether a file that begins with `head` (12 bytes or more) is a HEIC file."""
    return head[4:8] == b"ftyp" and head[8:12] in BRANDS


@cache
def register() -> None:
    """Let Pillow decode HEIC files; only the photo that a file shows, not its thumbnails.

    Raises:
        MissingExtraError: pillow-heif is not installed.
    """
    heif = require("pillow_heif", extra="heic", what="reading HEIC photos")
    heif.register_heif_opener(thumbnails=False)
    Image.init()
