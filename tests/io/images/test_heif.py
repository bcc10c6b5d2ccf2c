"""HEIC photos are read where pillow-heif is installed, and refused in one sentence elsewhere."""

import numpy as np
import pytest
from PIL import Image

from exif_photos import photo as noise
from fullconv.errors import ImageError
from fullconv.io import images
from fullconv.io.images import heif

pillow_heif = pytest.importorskip("pillow_heif")


def photo(height, width):
    """Return an image of large flat areas, which lossy compression hardly changes."""
    return np.kron(noise(height // 16, width // 16), np.ones((16, 16, 1), np.uint8))


def save(path, picture, **options):
    pillow_heif.from_pillow(picture).save(path, quality=95, **options)
    return path


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "IMG_1.heic", Image.fromarray(photo(48, 64)))


def test_a_heic_photo_is_read(path):
    image = images.read_image(path)
    assert image.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - photo(48, 64)).mean() < 4  # lossy
    header = images.read_header(path)
    assert (header.size, header.format, header.mode) == ((48, 64), "HEIF", "RGB")
    assert np.array_equal(images.decode_image(path.read_bytes(), "bytes"), image)


def test_it_is_turned_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = save(tmp_path / "b.heic", Image.fromarray(photo(48, 64)), exif=exif.tobytes())
    header = images.read_header(turned)
    assert images.read_image(turned).shape[:2] == header.size


def test_a_renamed_heic_photo_is_recognized_by_its_content(path):
    renamed = path.rename(path.with_suffix(".jpg"))
    assert images.read_image(renamed).shape == (48, 64, 3)


def test_without_the_package_it_is_refused_in_one_sentence(path, monkeypatch):
    monkeypatch.setattr(heif, "IS_INSTALLED", False)
    with pytest.raises(ImageError, match=r'IMG_1.heic: a HEIC file .*pip install "fullconv\[heic]'):
        images.read_image(path)


def test_a_damaged_one_is_refused(path):
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageError, match="damaged or cut short"):
        images.read_image(path)


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
def test_a_mask_in_a_lossy_format_is_refused(tmp_path, suffix):
    mask = Image.fromarray(np.zeros((8, 8), np.uint8))
    path = tmp_path / f"a{suffix}"
    save(path, mask) if suffix == ".heic" else mask.save(path)
    with pytest.raises(ImageError, match="lossy compression"):
        images.read_mask(path)


def test_an_avif_photo_is_read(tmp_path):
    Image.fromarray(photo(48, 64)).save(tmp_path / "a.avif", quality=95)
    image = images.read_image(tmp_path / "a.avif")
    assert np.abs(image.astype(int) - photo(48, 64)).mean() < 4
