"""Written images and labels are read back unchanged."""

import numpy as np
import pytest
from PIL import Image

from exif_photos import photo
from fullconv.io import images
from fullconv.io.palettes import voc_palette

NAMES = ("plain.png", "two words.png", "Grüße.png", "straße 🌳.png", "new\nline.png")


@pytest.mark.parametrize("name", NAMES)
def test_a_written_photo_is_read_back(tmp_path, name):
    images.write_image(tmp_path / name, photo())
    assert (images.read_image(tmp_path / name) == photo()).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 3), (64, 65)])
def test_written_labels_are_read_back_and_have_8_bits(tmp_path, size):
    labels = np.random.default_rng(0).integers(0, 3, size).astype(np.uint8)
    labels[0, 0] = 255
    images.write_labels(tmp_path / "a.png", labels, voc_palette(3))
    assert (images.read_mask(tmp_path / "a.png") == labels).all()
    header = (tmp_path / "a.png").read_bytes()[24:26]
    assert header == b"\x08\x03", "8 bits, indexed, even with few colours"
    with Image.open(tmp_path / "a.png") as picture:  # an independent reader
        assert picture.mode == "P" and (np.asarray(picture) == labels).all()
        assert len(picture.palette.palette) == 768


def test_written_grey_values_are_read_back(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    (tmp_path / "a.png").write_bytes(images.encode_grey(values))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "L" and (np.asarray(picture) == values).all()
