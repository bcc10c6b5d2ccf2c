"""A mask is rotated with the EXIF orientation of its photo if it was drawn on the stored pixels."""

import numpy as np
import pytest

from exif_photos import photo, write_rotated
from fullconv.io import images
from fullconv.io.palettes import voc_palette


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_the_stored_pixels_is_rotated_with_its_photo(tmp_path, orientation):
    write_rotated(tmp_path / "photo.png", photo(), orientation)
    labels = photo()[..., 0] % 4
    images.write_labels(tmp_path / "mask.png", labels, voc_palette(4))
    header = images.read_header(tmp_path / "photo.png")
    mask = images.read_mask(tmp_path / "mask.png", header)
    assert (mask == images.read_image(tmp_path / "photo.png")[..., 0] % 4).all()


def test_a_mask_of_the_rotated_photo_is_unchanged(tmp_path):
    write_rotated(tmp_path / "photo.png", photo(), 6)
    labels = np.zeros((9, 6), np.uint8)
    images.write_labels(tmp_path / "mask.png", labels, voc_palette(4))
    header = images.read_header(tmp_path / "photo.png")
    assert images.read_mask(tmp_path / "mask.png", header).shape == (9, 6)
