"""Pictures in and out: what is read is what is stored, and bad files say so in a sentence."""

import numpy as np
import pytest
from PIL import Image

from fullconv import images
from fullconv.colors import voc_palette
from fullconv.errors import ImageError

NAMES = ("plain.png", "two words.png", "Grüße.png", "straße 🌳.png", "new\nline.png")


def photo(height=6, width=9, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def turned(path, image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, exif=exif)


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_is_read_as_it_was_written(tmp_path, name):
    images.write_image(tmp_path / name, photo())
    assert (images.read_image(tmp_path / name) == photo()).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 3), (64, 65)])
def test_labels_survive_and_are_eight_bits_deep(tmp_path, size):
    labels = np.random.default_rng(0).integers(0, 3, size).astype(np.uint8)
    labels[0, 0] = 255
    images.write_labels(tmp_path / "a.png", labels, voc_palette(3))
    assert (images.read_mask(tmp_path / "a.png") == labels).all()
    header = (tmp_path / "a.png").read_bytes()[24:26]
    assert header == b"\x08\x03", "8 bits, indexed: fewer colours must not pack the pixels"
    with Image.open(tmp_path / "a.png") as picture:  # an independent reader's view
        assert picture.mode == "P" and (np.asarray(picture) == labels).all()
        assert len(picture.palette.palette) == 768


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    turned(tmp_path / "a.png", photo(), orientation)
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


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_drawn_on_the_unturned_photo_is_turned_with_it(tmp_path, orientation):
    turned(tmp_path / "photo.png", photo(), orientation)
    labels = photo()[..., 0] % 4
    images.write_labels(tmp_path / "mask.png", labels, voc_palette(4))
    header = images.read_header(tmp_path / "photo.png")
    mask = images.read_mask(tmp_path / "mask.png", header)
    assert (mask == images.read_image(tmp_path / "photo.png")[..., 0] % 4).all()


def test_a_mask_drawn_on_the_turned_photo_stays(tmp_path):
    turned(tmp_path / "photo.png", photo(), 6)
    labels = np.zeros((9, 6), np.uint8)
    images.write_labels(tmp_path / "mask.png", labels, voc_palette(4))
    header = images.read_header(tmp_path / "photo.png")
    assert images.read_mask(tmp_path / "mask.png", header).shape == (9, 6)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_eight_bit_photos_of_any_kind_are_read(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(photo()).convert(mode).save(tmp_path / f"a.{suffix}")
    assert images.read_image(tmp_path / f"a.{suffix}").shape == (6, 9, 3)


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
    import zlib

    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(content))


WRONG = {
    "sixteen bits": (sixteen, "more than 8 bits"),
    "floats": (floats, "more than 8 bits"),
    "three pages": (frames, "3 pictures in one file"),
    "cut short": (cut, "damaged or cut short"),
    "a bomb": (bomb, "million pixels"),
    "empty": (lambda path: path.write_bytes(b""), "an empty file"),
    "a text": (lambda path: path.write_bytes(b"hello"), "no picture"),
    "a GIF": (lambda path: Image.fromarray(photo()).save(path, "GIF"), "a GIF file"),
    "absent": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "a folder or a device"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bad_photo_is_one_clear_sentence_with_its_name(tmp_path, what):
    make, message = WRONG[what]
    path = tmp_path / "bad photo.png"
    make(path)
    with pytest.raises(ImageError, match=message) as caught:
        images.read_image(path)
    assert "bad photo.png" in str(caught.value) and "\n" not in str(caught.value)


def test_labels_are_scaled_without_new_values():
    labels = np.random.default_rng(0).choice(np.array([3, 90, 255], np.uint8), (40, 50))
    assert set(np.unique(images.scale_labels(labels, (17, 23)))) <= {3, 90, 255}
    assert images.scale_image(photo(40, 50), (17, 23)).shape == (17, 23, 3)


def test_a_legend_is_as_wide_as_asked():
    strip = images.legend([f"class {i}" for i in range(12)], voc_palette(12), 200)
    assert strip.shape[1] == 200 and strip.shape[0] > 40


def test_grey_values_are_kept(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    (tmp_path / "a.png").write_bytes(images.encode_grey(values))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "L" and (np.asarray(picture) == values).all()


@pytest.mark.parametrize("text", ["", "a", "photo-001", "x" * 400, "Grüße 🌳.png"])
def test_a_caption_is_one_line_that_fits(text):
    strip = images.caption(text, 120)
    assert strip.shape == (20, 120, 3)
    assert (strip[:, :2] == 255).all() and (strip[:, -2:] == 255).all(), "nothing is cut off"
    assert (strip < 128).any() == bool(text)
