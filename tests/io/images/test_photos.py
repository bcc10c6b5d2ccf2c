"""Photos of any 8-bit mode are read, and rotated by their EXIF orientation."""

import pytest
from PIL import Image

from exif_photos import photo, write_rotated
from fullconv.io import images


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_rotated_by_exif(tmp_path, orientation):
    write_rotated(tmp_path / "a.png", photo(), orientation)
    image = images.read_image(tmp_path / "a.png")
    # The table of the EXIF standard, in numpy.
    stored = photo()
    expected = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored.transpose(1, 0, 2)[::-1],
    }[orientation]
    assert (image == expected).all()
    assert images.read_header(tmp_path / "a.png").size == image.shape[:2]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_photos_of_any_8_bit_mode_are_read(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(photo()).convert(mode).save(tmp_path / f"a.{suffix}")
    assert images.read_image(tmp_path / f"a.{suffix}").shape == (6, 9, 3)
