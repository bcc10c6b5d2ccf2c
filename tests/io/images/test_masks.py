"""A mask is rotated with the EXIF orientation of its photo if it was drawn on the stored pixels."""

import numpy as np
import pytest
from PIL import Image

from exif_photos import photo, write_rotated
from fullconv.errors import ImageError
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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mask.webp", {}),
        ("mask.webp", {"quality": 100}),
        ("mask.png", {"format": "WEBP", "icc_profile": b"x" * 127}),  # a chunk before the picture
        ("mask.tif", {"compression": "jpeg"}),
    ],
)
def test_masks_with_lossy_compression_are_refused(tmp_path, name, options):
    mask = Image.fromarray((photo() > 99).astype(np.uint8) * 255)
    mask.save(tmp_path / name, **options)
    with pytest.raises(ImageError, match=r"with lossy compression.*export the masks again as PNG"):
        images.read_mask(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mask.webp", {"lossless": True}),
        ("mask.webp", {"lossless": True, "icc_profile": b"x" * 127}),
        ("mask.tif", {"compression": "tiff_lzw"}),
        ("mask.bmp", {}),
    ],
)
def test_masks_with_lossless_compression_are_read(tmp_path, name, options):
    values = (photo() > 99).astype(np.uint8) * 255
    Image.fromarray(values).save(tmp_path / name, **options)
    assert (images.read_mask(tmp_path / name) == values).all()
