"""Inputs beside a photo: where their files are, and how their values become channels."""

import numpy as np
import pytest
from PIL import Image

from fullconv.errors import ConfigError, ImageError
from fullconv.io.images import (
    ExtraInput,
    channels_of,
    read_image,
    resolve_inputs,
    with_inputs,
)
from fullconv.io.images.extra_inputs import parse_inputs


@pytest.fixture
def photo(tmp_path):
    for folder in ("images/train", "depth/train", "hha/train"):
        (tmp_path / folder).mkdir(parents=True)
    path = tmp_path / "images" / "train" / "a.jpg"
    Image.fromarray(np.full((4, 6, 3), 9, np.uint8)).save(path)
    Image.fromarray(np.full((4, 6, 3), (1, 2, 3), np.uint8)).save(tmp_path / "hha/train/a.png")
    depth = np.full((4, 6), 500, np.uint16)
    depth[0] = 0, 100, 500, 5000, 10000, 60000
    Image.fromarray(depth).save(tmp_path / "depth/train/a.png")
    return path


def test_inputs_follow_the_colours(photo):
    inputs = resolve_inputs("depth:log:500:10000,hha", photo)
    assert [extra.channels for extra in inputs] == [1, 3]
    assert channels_of(inputs) == 7
    image = with_inputs(np.full((4, 6, 3), 9, np.uint8), photo, inputs)
    assert image.shape == (4, 6, 7)
    assert image[1, 1].tolist() == [9, 9, 9, 0, 1, 2, 3]
    # log(5000 / 500) / log(10000 / 500) of 255; what is outside of the range is clipped.
    assert image[0, :, 3].tolist() == [0, 0, 0, 196, 255, 255]


def test_a_linear_range(photo):
    (extra,) = resolve_inputs("depth:linear:0:10000", photo)
    assert with_inputs(np.zeros((4, 6, 3), np.uint8), photo, [extra])[0, 3, 3] == 128


def test_deep_values_need_a_range(photo):
    (extra,) = resolve_inputs("depth", photo)
    with pytest.raises(ImageError, match=r"\(0 to 60000\), and no range is known for depth"):
        with_inputs(np.zeros((4, 6, 3), np.uint8), photo, [extra])


def test_a_missing_file_is_named(photo):
    (photo.parents[2] / "depth/train/a.png").unlink()
    with pytest.raises(ImageError, match=r"depth/train/a\.png.*the input depth .* is missing"):
        resolve_inputs("depth:log:500:10000", photo)


def test_other_sizes_are_refused(photo):
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(photo.parents[2] / "depth/train/a.png")
    with pytest.raises(ImageError, match="4 x 5 pixels"):
        with_inputs(np.zeros((4, 6, 3), np.uint8), photo, [ExtraInput("depth")])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_inputs_turn_with_a_photo_on_its_side(tmp_path, orientation):
    stored = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)
    for folder in ("images", "depth"):
        (tmp_path / folder).mkdir()
    photo = tmp_path / "images" / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(photo, exif=exif)
    Image.fromarray(stored).save(tmp_path / "depth" / "a.png")
    turned = read_image(photo)
    assert turned.shape == (6, 4, 3)
    image = with_inputs(turned, photo, [ExtraInput("depth")])
    assert (image[..., 3] == turned[..., 0]).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth:log:0:5", "greater than 0"),
        ("depth:linear:5:5", "the smaller one first"),
        ("depth:cube:1:5", "expected linear or log"),
        ("depth:1:5", "expected the name of a folder"),
        ("../depth", "expected the name of a folder"),
        ("hha,hha", "occurs twice"),
    ],
)
def test_mistakes(text, said):
    with pytest.raises(ConfigError, match=said):
        [ExtraInput(name, 1, scale, found) for name, scale, found in parse_inputs(text)]
