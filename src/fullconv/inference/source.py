"""Read what a user passes as an image: a path, a file, its bytes, an array or a PIL image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from fullconv.config import RGB
from fullconv.errors import ImageError, MemoryBudgetError
from fullconv.io import images
from fullconv.io.images import ExtraInput
from fullconv.io.rasters import BandChoice, read_raster, read_raster_header
from fullconv.units import format_bytes, format_bytes_up, parse_bytes


@dataclass(frozen=True)
class Source:
    """An image to predict.

    Attributes:
        image: in [0, 255]: red, green, blue, and the channels of other inputs, if any; black where
            a raster has no data.
        missing: where a raster has no data; None for other images.
        bytes: what it takes; 0 for an array of the caller.
    """

    image: UInt8[np.ndarray, "H W C"]
    missing: Bool[np.ndarray, "H W"] | None = None
    bytes: int = 0


def read_source(
    source: Any,
    band_choice: BandChoice | None = None,
    memory: int | str | None = None,
    channels: int = RGB,
    inputs: Sequence[ExtraInput] = (),
) -> Source:
    """Return an image from a path, a file, its bytes, an array or a PIL image, for a network.

    Args:
        source: one of these; a file is open in binary mode, and read from its position to its end.
        band_choice: bands and value range: files are read as rasters with them, if they can be; a
            range of photos scales files and arrays with more than 8 bits.
        memory: limit for reading a file, in bytes or as "2GiB".
        channels: that the network takes.
        inputs: those after red, green and blue, which are read from folders beside a photo's.

    Raises:
        ImageError: the source has another type, or cannot be read.
        MemoryBudgetError: reading a file takes more than `memory`.
    """
    if channels == RGB:
        return _read_photo(source, band_choice, memory)
    what = images.describe_channels(channels, inputs)
    if isinstance(source, np.ndarray):
        return Source(images.channels_from_array(source, channels, what))
    if not isinstance(source, str | Path) or not inputs:
        is_path = isinstance(source, str | Path)
        raise ImageError(
            "a file" if is_path else f"an image of the type {type(source).__name__}",
            expected=f"{what}, as an array (height, width, {channels}) of uint8"
            + (", or the path of a photo beside whose folder the others lie" if inputs else ""),
            where=source if is_path else "",
        )
    photo = _read_photo(source, band_choice, memory)
    image = images.with_inputs(photo.image, Path(source), inputs)
    return Source(image, photo.missing, image.nbytes)


def _read_photo(source: Any, band_choice: BandChoice | None, memory: int | str | None) -> Source:
    value_range = band_choice.value_range if band_choice else None
    if isinstance(source, np.ndarray):
        return Source(images.rgb_from_array(source, value_range))
    content = _content(source)
    if content is not None:
        where = Path(source.name if isinstance(getattr(source, "name", 0), str) else "the bytes")
        if memory is not None:
            found = images.peek_header(where, content)
            _check_memory(where, found.size, images.decoding_bytes(found), memory)
        image = images.decode_image(content, str(where), value_range)
        return Source(image, bytes=image.nbytes)
    if not isinstance(source, str | Path):
        image = images.rgb_from_pil(source, value_range)
        return Source(image, bytes=image.nbytes)
    path = Path(source)
    if band_choice and band_choice.is_explicit and (header := read_raster_header(path)):
        size = header.height, header.width
        _check_memory(path, size, 4 * size[0] * size[1], memory)
        image, valid = read_raster(path, band_choice)
        return Source(image, ~valid, image.nbytes + valid.nbytes)
    if memory is not None:
        found = images.peek_header(path)
        _check_memory(path, found.size, images.decoding_bytes(found), memory)
    image = images.read_image(path, value_range)
    return Source(image, bytes=image.nbytes)


def _content(source: Any) -> bytes | None:
    """Return the bytes of an encoded image, or of a file that is open; None for other sources."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if not hasattr(source, "read") or isinstance(source, str | Path):
        return None
    content = source.read()
    if not isinstance(content, bytes):
        raise ImageError(
            f"a file whose read() returns {type(content).__name__}",
            expected="bytes",
            remedy='open it in binary mode, open(path, "rb")',
        )
    return content


def _check_memory(path: Path, size: tuple[int, int], need: int, memory: int | str | None) -> None:
    if memory is not None and need > (given := parse_bytes(memory)):
        raise MemoryBudgetError(
            f"{path}: reading an image of {size[0]} x {size[1]} pixels takes "
            f"{format_bytes_up(need)}; the memory given is {format_bytes(given)}: give it more"
        )
