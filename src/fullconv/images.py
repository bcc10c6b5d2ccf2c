"""Pictures in, labels in, pictures out: the only file that knows PIL and its (width, height)."""

import io
import re
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from fullconv.atomic import write_bytes
from fullconv.colors import Color, Palette, full_palette
from fullconv.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""The only decoders ever opened (Pillow's advisories all say: open what you need)."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 250_000_000

# What can be shown as 8-bit RGB without a choice that the user should make.
_PHOTO_MODES = ("RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
_MASK_MODES = ("P", "L", "1", "I;16", "I;16B", "I")
_DEEP = " with more than 8 bits a channel"
_SIXTEEN = re.compile(r";(16|32|64)")  # in Pillow's name of the stored type, e.g. "RGB;16B"
_OTHERS = {b"GIF8": "GIF", b"%PDF": "PDF", b"ftyphei": "HEIC", b"ftypavif": "AVIF", b"8BPS": "PSD"}
_ORIENTATION = 0x0112  # EXIF's tag
_TURNED = (5, 6, 7, 8)  # orientations that swap height and width

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


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
    with _opened(path) as picture:
        return _header(picture)


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """A photo as RGB in [0, 255], turned as its EXIF orientation says.

    Raises:
        ImageError: it cannot be read, or has more than 8 bits a channel.
    """
    with _opened(path) as picture:
        return _photo(picture, path)


def glance(path: Path, size: tuple[int, int]) -> tuple[Header, UInt8[np.ndarray, "h w"], float]:
    """A photo's header, a small grey picture of it as stored, and the share of it that is opaque.

    The file is decoded to its end, so that damage is found; a JPEG at a part of its size.

    Args:
        path: the photo, of any pixel type.
        size: (height, width) of the small picture.

    Raises:
        ImageError: it cannot be read to its end.
    """
    with _opened(path) as picture:
        _one_frame(picture, path)
        if _is_deep(picture):
            raise ImageError(f"{path}: a photo of type {picture.mode!r}{_DEEP}; expected 8 bits")
        header = _header(picture)
        picture.draft("L", (2 * size[1], 2 * size[0]))
        picture = _decoded(picture, path)
        if picture.mode.startswith(("I", "F")):
            values = np.asarray(picture, np.float32)
            spread = float(np.ptp(values)) or 1.0
            picture = Image.fromarray(((values - values.min()) / spread * 255).astype(np.uint8))
        small = picture.convert("L").resize(size[::-1], Image.Resampling.BOX)
        return header, np.array(small), _opaque(picture)


def decode_image(content: bytes, where: str) -> UInt8[np.ndarray, "H W 3"]:
    """A photo out of a file's bytes, as `read_image` gives it.

    Args:
        content: the bytes of a PNG, a JPEG, ...
        where: what the messages call it.

    Raises:
        ImageError: it cannot be read.
    """
    with _opened(Path(where), content) as picture:
        return _photo(picture, Path(where))


def decode_mask(content: bytes, where: str) -> Integer[np.ndarray, "H W"]:
    """The values of a mask out of a file's bytes.

    Args:
        content: the bytes of a PNG with one channel.
        where: what the messages call it.

    Raises:
        ImageError: it cannot be read, or is in colour.
    """
    with _opened(Path(where), content) as picture:
        mask = _decoded(picture, Path(where))
        if mask.mode not in _MASK_MODES:
            raise ImageError(f"{where}: a mask of type {mask.mode!r}; expected one channel")
        return np.array(mask) if mask.mode != "1" else np.array(mask).astype(np.uint8)


def rgb_from_pil(picture: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """A PIL image as an RGB array, turned as its EXIF orientation says."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode == "P" and "transparency" in turned.info:
        turned = turned.convert("RGBA")  # of which the colours are those of the palette
    return np.array(turned.convert("RGB"))


def read_mask(path: Path, like: Header | None = None) -> Integer[np.ndarray, "H W *channels"]:
    """A mask's raw values: (H, W) indices, or (H, W, 3) colours of a colour-coded mask.

    Args:
        path: the mask.
        like: the photo's header. A mask that has the photo's stored size and not its shown size
            was drawn on the unturned photo and is turned like it.

    Raises:
        ImageError: it cannot be read.
    """
    with _opened(path) as picture:
        _one_frame(picture, path)
        if _is_deep(picture):
            raise ImageError(
                f"{path}: a mask in colours with more than 8 bits a channel; expected 8 bits, or "
                "one channel with class numbers: export the mask again"
            )
        own = _header(picture)
        mask = _decoded(picture, path)
        if like and like.orientation > 1 and own.size == like.stored != like.size:
            mask = _turned(mask, like.orientation)
        else:
            mask = ImageOps.exif_transpose(mask)
        if mask.mode in ("RGBA", "RGBX", "LA", "PA", "CMYK", "YCbCr"):
            mask = mask.convert("RGB")
        if mask.mode not in (*_MASK_MODES, "RGB"):
            raise ImageError(
                f"{path}: a mask of type {mask.mode!r}; expected 8-bit or 16-bit whole numbers"
            )
        return np.array(mask) if mask.mode != "1" else np.array(mask).astype(np.uint8)


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


def encode_labels(labels: UInt8[np.ndarray, "H W"], palette: Palette) -> bytes:
    """Labels as an 8-bit indexed PNG: pixel values are the classes, the palette shows them.

    The palette always has 256 entries: with fewer, Pillow 13 packs the pixels to 4 bits and less.
    """
    picture = Image.fromarray(labels)
    picture.putpalette(np.array(full_palette(palette), np.uint8).tobytes())
    return _encoded(picture, "PNG")


def encode_png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """A colour picture as PNG."""
    return _encoded(Image.fromarray(image), "PNG")


def encode_grey(values: UInt8[np.ndarray, "H W"]) -> bytes:
    """One channel of 8 bits as a grey PNG; the values are kept as they are."""
    return _encoded(Image.fromarray(values), "PNG")


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int = 90) -> bytes:
    """A colour picture as JPEG."""
    return _encoded(Image.fromarray(image), "JPEG", quality=quality)


def write_labels(path: Path, labels: UInt8[np.ndarray, "H W"], palette: Palette) -> None:
    """Write labels as an indexed PNG, whole or not at all."""
    write_bytes(path, encode_labels(labels, palette))


def write_image(path: Path, image: UInt8[np.ndarray, "H W 3"]) -> None:
    """Write a colour picture, whole or not at all; PNG, or JPEG where the name ends so."""
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    write_bytes(path, encode_jpeg(image) if jpeg else encode_png(image))


def legend(
    names: Sequence[str], palette: Sequence[Color], width: int
) -> UInt8[np.ndarray, "H W 3"]:
    """A white strip `width` pixels wide: a swatch and a name for each class, in rows."""
    font = ImageFont.load_default(13)
    cells = [int(font.getlength(name)) + 34 for name in names]
    rows: list[list[int]] = [[]]
    for index, cell in enumerate(cells):
        if rows[-1] and sum(cells[i] for i in rows[-1]) + cell > width - 12:
            rows.append([])
        rows[-1].append(index)
    picture = Image.new("RGB", (width, 22 * len(rows) + 10), "white")
    draw = ImageDraw.Draw(picture)
    for line, indices in enumerate(rows):
        left, top = 8, 22 * line + 7
        for index in indices:
            draw.rectangle((left, top, left + 16, top + 14), palette[index], outline=(90, 90, 90))
            draw.text((left + 21, top - 1), names[index], (20, 20, 20), font)
            left += cells[index]
    return np.array(picture)


def caption(text: str, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """A white strip with one line of text, cut in its middle where it is too long for `width`."""
    font = ImageFont.load_default(12)
    shown, kept = text, len(text)
    while kept > 1 and font.getlength(shown) > width - 8:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept + 1) // 2 :]}"
    picture = Image.new("RGB", (width, 20), "white")
    ImageDraw.Draw(picture).text((4, 2), shown, (20, 20, 20), font)
    return np.array(picture)


def _opened(path: Path, content: bytes | None = None) -> Image.Image:
    try:
        if content is None and not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
            raise ImageError(f"{path}: a folder or a device, not a file; expected a picture")
        with warnings.catch_warnings():
            # Pillow warns at half of its limit; our limit is the limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            source = path if content is None else io.BytesIO(content)
            picture = Image.open(source, formats=FORMATS)
    except ImageError:
        raise
    except FileNotFoundError as error:
        target = f"; it is a link to {path.readlink()}" if path.is_symlink() else ""
        raise ImageError(f"{path}: there is no such file{target}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large(path)) from error
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ImageError(_no_picture(path)) from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror or error})") from error
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise ImageError(_too_large(path))
    return picture


def _photo(picture: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    _one_frame(picture, path)
    deep = _is_deep(picture) or picture.mode.startswith(("I", "F"))
    if deep or picture.mode not in _PHOTO_MODES:
        raise ImageError(
            f"{path}: a photo of type {picture.mode!r}{_DEEP if deep else ''}; expected 8-bit grey "
            "or colour: convert it, choosing what becomes black and white"
        )
    return rgb_from_pil(_decoded(picture, path))


def _is_deep(picture: Image.Image) -> bool:
    """Whether these are colours of 16 bits, of which Pillow would drop the lower 8 unasked.

    It must be asked before anything else, since reading EXIF can decode the picture.
    """
    raw = [str(part) for tile in getattr(picture, "tile", ()) for part in _flat(tile[3])]
    return not picture.mode.startswith(("I", "F")) and any(_SIXTEEN.search(part) for part in raw)


def _flat(arguments: object) -> Sequence[object]:
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _decoded(picture: Image.Image, path: Path) -> Image.Image:
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(
            f"{path}: the file is damaged or cut short ({error}); expected a whole picture: "
            "copy it again from where it came from"
        ) from error
    return picture


def _header(picture: Image.Image) -> Header:
    stored = (picture.height, picture.width)
    try:
        orientation = int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block does not make the pixels unreadable
        orientation = 1
    size = stored[::-1] if orientation in _TURNED else stored
    frames = getattr(picture, "n_frames", 1)
    return Header(size, stored, picture.mode, picture.format or "", orientation, frames)


def _opaque(picture: Image.Image) -> float:
    if picture.mode not in ("RGBA", "LA", "PA"):
        return 1.0
    return float((np.asarray(picture.getchannel("A")) == 255).mean())


def _one_frame(picture: Image.Image, path: Path) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise ImageError(
            f"{path}: {frames} pictures in one file; expected one: save the one that is meant"
        )


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    copy = picture.copy()
    copy.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(copy)


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _too_large(path: Path) -> str:
    return (
        f"{path}: more than {MAX_PIXELS // 1_000_000} million pixels by its header, which is the "
        "limit; cut it into smaller pictures"
    )


def _no_picture(path: Path) -> str:
    head = path.read_bytes()[:12] if path.is_file() else b""
    other = next((kind for mark, kind in _OTHERS.items() if mark in head), None)
    what = f"a {other} file by its content" if other else "no picture that can be read"
    return (
        f"{path}: {what if head else 'an empty file'}; expected one of {', '.join(FORMATS)}: "
        "save it as PNG or JPEG, or take it out"
    )
