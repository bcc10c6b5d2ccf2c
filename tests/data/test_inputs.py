"""Data sets with inputs beside the photo, and their augmentation."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from fullconv.data.batches import collate
from fullconv.data.sample import Sample, with_named_inputs
from fullconv.data.transforms import Blur, Crop, Flip, Jitter, Rotate, fit
from fullconv.errors import DataError, ImageError

RANDOM = np.random.default_rng(3)


@pytest.fixture
def folder(tmp_path):
    for name in ("images", "masks", "depth"):
        (tmp_path / name).mkdir()
    for number in range(4):
        photo = RANDOM.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        mask = RANDOM.integers(0, 2, (8, 10), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
        Image.fromarray(mask * np.uint8(200)).save(tmp_path / "depth" / f"{number}.png")
    (tmp_path / "classes.txt").write_text("0 floor\n1 box\n")
    return tmp_path


def test_samples_have_the_channels_of_inputs(folder):
    data = with_named_inputs(fc.open_data(folder), "depth")
    sample = data.take([2, 0])[0]
    assert sample.image.shape == (8, 10, 4)
    assert (sample.image[..., 3] == 200 * sample.labels).all()
    assert collate([sample]).image.shape == (1, 4, 8, 10)


def test_a_missing_input_is_an_error_before_training(folder):
    (folder / "depth" / "3.png").unlink()
    with pytest.raises(ImageError, match=r"depth/3\.png"):
        with_named_inputs(fc.open_data(folder), "depth")


def test_drawn_scenes_have_no_inputs():
    with pytest.raises(DataError, match="the input depth for samples that are no plain image"):
        with_named_inputs(fc.open_data("scenes:2"), "depth")


def wide(labels):
    image = np.dstack([RANDOM.integers(0, 256, (*labels.shape, 3), dtype=np.uint8), 200 * labels])
    return Sample(image, labels, "a")


@pytest.mark.parametrize("transform", [Flip(), Crop((6, 5)), Crop((20, 20)), Rotate(30)])
def test_geometry_moves_all_channels(transform):
    labels = np.zeros((12, 16), np.uint8)
    labels[3:9, 2:7] = 1
    for seed in range(4):
        moved = transform(wide(labels), np.random.default_rng(seed))
        known = moved.labels != 255
        agree = (moved.image[..., 3] > 100) == (moved.labels == 1)
        assert moved.image.shape == (*moved.labels.shape, 4)
        assert agree[known].mean() > (0.9 if isinstance(transform, Rotate) else 0.999)


def test_jitter_changes_colours_only():
    sample = wide(np.eye(9, dtype=np.uint8))
    changed = Jitter(0.5)(sample, np.random.default_rng(0))
    assert (changed.image[..., 3] == sample.image[..., 3]).all()
    assert (changed.image[..., :3] != sample.image[..., :3]).any()
    alone = Jitter(0.5)(
        replace(sample, image=sample.image[..., :3].copy()), np.random.default_rng(0)
    )
    assert (changed.image[..., :3] == alone.image).all()


def test_blur_and_scaling_treat_channels_alike():
    sample = wide(np.eye(9, dtype=np.uint8))
    grey = replace(sample, image=np.repeat(sample.image[..., 3:], 3, 2))
    blurred = [Blur(2)(one, np.random.default_rng(1)).image for one in (sample, grey)]
    assert (blurred[0][..., 3] == blurred[1][..., 0]).all()
    scaled = [fit(one, (5, 5)).image for one in (sample, grey)]
    assert (scaled[0][..., 3] == scaled[1][..., 0]).all()
