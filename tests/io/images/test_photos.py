"""Photos of any kind of eight bits are read, and turned as they say."""

import pytest
from PIL import Image

from exif_photos import photo, write_rotated
from fullconv.io import images


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    write_rotated(tmp_path / "a.png", photo(), orientation)
    shown = images.read_image(tmp_path / "a.png")
    # The EXIF standard's table, in numpy's words.
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
    assert (shown == expected).all()
    assert images.read_header(tmp_path / "a.png").size == shown.shape[:2]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_eight_bit_photos_of_any_kind_are_read(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(photo()).convert(mode).save(tmp_path / f"a.{suffix}")
    assert images.read_image(tmp_path / f"a.{suffix}").shape == (6, 9, 3)
