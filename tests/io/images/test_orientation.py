"""Images are rotated by EXIF as Pillow does; damaged blocks and further frames end no program."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fullconv.errors import ImageError
from fullconv.io.images import decode_image, peek_header, read_header, read_image, read_mask
from fullconv.io.images.orientation import rotate

TAG = 0x0112


def encoded(kind, exif):
    content = io.BytesIO()
    Image.fromarray(values()).save(content, kind, exif=exif, lossless=True)
    return content.getvalue()


def values():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(orientation):
    exif = Image.Exif()
    exif[TAG] = orientation
    with Image.open(io.BytesIO(encoded("PNG", exif))) as picture:
        expected = np.array(ImageOps.exif_transpose(picture))
        assert (np.array(rotate(picture)) == expected).all()
        assert (np.array(rotate(Image.fromarray(values()), orientation)) == expected).all()
    assert (decode_image(encoded("PNG", exif), "a.png") == expected).all()


@pytest.mark.parametrize("orientation", [0, 9, -1, 2**16 - 1])
def test_orientations_that_do_not_exist_count_as_none(orientation):
    exif = Image.Exif()
    exif[TAG] = orientation % 2**16
    assert (decode_image(encoded("PNG", exif), "a.png") == values()).all()


DAMAGED = {
    "text": b"garbage",
    "an offset beyond the end": b"II*\0\xff\xff\xff\xff",
    "more entries than bytes": b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40,
    "letters as orientation": b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x05\0\0\0abcde",
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("block", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_exif_block_counts_as_none(tmp_path, kind, block):
    content = encoded(kind, b"Exif\0\0" + block)
    (tmp_path / "a").write_bytes(content)
    assert read_image(tmp_path / "a").shape == decode_image(content, "a").shape == (5, 7, 3)
    assert read_header(tmp_path / "a").size == peek_header(Path("a"), content).size == (5, 7)
    if kind == "PNG":
        assert (read_mask(tmp_path / "a") == values()).all()


@pytest.mark.parametrize("read", [read_image, read_mask, read_header, peek_header])
def test_a_tiff_whose_next_image_is_damaged(tmp_path, read):
    content = io.BytesIO()
    Image.fromarray(values()[..., 0]).save(content, "TIFF")
    data = bytearray(content.getvalue())
    directory = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, directory)[0]
    struct.pack_into("<I", data, directory + 2 + 12 * entries, len(data))
    (tmp_path / "a.tif").write_bytes(data + struct.pack("<HI", 0, 0))  # an image without a size
    with pytest.raises(ImageError, match=r"a\.tif: the file is damaged or cut short"):
        read(tmp_path / "a.tif")
