"""Images that cannot be opened are refused with a message that names the file."""

import zlib

import numpy as np
import pytest
from PIL import Image

from exif_photos import photo
from fullconv.errors import ImageError
from fullconv.io import images


def sixteen(path):
    Image.fromarray(photo()[..., 0].astype(np.uint16) * 256).save(path)


def floats(path):
    Image.fromarray(photo()[..., 0].astype(np.float32)).save(path.with_suffix(".tif"))
    path.with_suffix(".tif").rename(path)


def frames(path):
    pages = [Image.fromarray(photo(seed=seed)) for seed in range(3)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])


def cut(path):
    Image.fromarray(photo(300, 300)).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:5000])


def bomb(path):
    """A PNG header that claims 60,000 x 60,000 pixels, and no pixels."""
    Image.fromarray(photo()).save(path, "PNG")
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(content))


WRONG = {
    "sixteen bits": (sixteen, "more than 8 bits"),
    "floats": (floats, "more than 8 bits"),
    "three pages": (frames, "3 images in one file"),
    "cut short": (cut, "damaged or cut short"),
    "a bomb": (bomb, "million pixels"),
    "empty": (lambda path: path.write_bytes(b""), "an empty file"),
    "a text": (lambda path: path.write_bytes(b"hello"), "not a readable image"),
    "a GIF": (lambda path: Image.fromarray(photo()).save(path, "GIF"), "a GIF file"),
    "absent": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "a folder or a device"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bad_photo_is_refused_with_one_message_and_its_name(tmp_path, what):
    make, message = WRONG[what]
    path = tmp_path / "bad photo.png"
    make(path)
    with pytest.raises(ImageError, match=message) as caught:
        images.read_image(path)
    assert "bad photo.png" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [TypeError, IndexError, OverflowError, zlib.error, OSError])
def test_whatever_a_decoder_raises_means_a_damaged_file(tmp_path, monkeypatch, error):
    path = tmp_path / "a.png"
    Image.fromarray(photo()).save(path)

    def load(picture):
        raise error("function takes at most 3 arguments (4 given)")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(ImageError, match=r"a.png.*damaged or cut short"):
        images.read_image(path)
