"""Images and labels are transformed alike; no labels are created; randomness is a function."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch.utils.data import DataLoader, Dataset

from fullconv.config import TrainConfig
from fullconv.data.batches import collate
from fullconv.data.sample import Sample
from fullconv.data.transforms import (
    FILL,
    Blur,
    Crop,
    Flip,
    Jitter,
    Rotate,
    Turn,
    Zoom,
    ZoomedCrop,
    apply,
    augment,
    augmentation,
    fit,
    generator,
)
from fullconv.data.transforms.geometric import rotate
from fullconv.data.transforms.photometric import blur


def sample(height=20, width=30, seed=0):
    """Return a sample whose colours encode its labels, which shows mismatches."""
    labels = np.random.default_rng(seed).integers(0, 5, (height, width)).astype(np.uint8)
    return Sample(np.repeat(labels[..., None] * 40, 3, 2), labels, "one")


def is_aligned(result):
    filled = result.labels == 255
    return (result.image[..., 0][~filled] == result.labels[~filled] * 40).all()


@pytest.mark.parametrize(
    "step", [Flip(), Turn(quarter=True), Crop((8, 11)), Crop((40, 50)), Crop((1, 1))]
)
def test_image_and_labels_are_transformed_alike(step):
    for seed in range(8):
        assert is_aligned(step(sample(), generator(seed)))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
@pytest.mark.parametrize(
    "step",
    [
        Flip(),
        Turn(quarter=True),
        Zoom(0.5, 2.0),
        Rotate(90),
        Crop((3, 3)),
        Crop((1, 1)),
        Jitter(0.2),
        Blur(2),
    ],
)
def test_images_one_pixel_wide_become_batches(step, size):
    for seed in range(4):
        result = step(sample(*size), generator(seed))
        batch = collate([result, sample(2, 2)])  # PyTorch refuses arrays with negative strides
        rows, columns = result.labels.shape
        assert (batch.labels[0, :rows, :columns].numpy() == result.labels).all()


def test_a_crop_beyond_the_image_is_ignored():
    result = Crop((25, 31))(sample(20, 30), generator(0))
    assert result.labels.shape == (25, 31) == result.image.shape[:2]
    assert (result.labels[20:] == 255).all() and (result.labels[:, 30:] == 255).all()
    assert (result.labels[:20, :30] == sample().labels).all()


def rare_in_a_corner():
    """Return a sample with classes of 1, 100 and 2099 pixels, and ignored pixels."""
    labels = np.zeros((40, 60), np.uint8)
    labels[:10, :10] = 2
    labels[10:20, :20] = 255
    labels[35, 50] = 7
    return Sample(np.zeros((40, 60, 3), np.uint8), labels, "one")


def test_a_class_crop_contains_the_rarest_class():
    always, never = Crop((9, 11), 1.0), Crop((9, 11))
    hit = [7 in always(rare_in_a_corner(), generator(seed)).labels for seed in range(100)]
    chance = [7 in never(rare_in_a_corner(), generator(seed)).labels for seed in range(100)]
    assert all(hit) and sum(chance) < 25


def test_class_crops_have_the_given_frequency():
    some = Crop((3, 3), 0.4)
    hit = [7 in some(rare_in_a_corner(), generator(seed)).labels for seed in range(600)]
    assert abs(np.mean(hit) - 0.4) < 0.06


def test_the_rare_pixel_is_at_any_position_of_the_crop():
    step = Crop((4, 5), 1.0)
    drawn = [step(rare_in_a_corner(), generator(seed)).labels for seed in range(600)]
    positions = {tuple(np.argwhere(labels == 7)[0]) for labels in drawn}
    assert len(positions) == 20  # the pixel is far enough from the edges
    assert all(labels.shape == (4, 5) for labels in drawn)


@pytest.mark.parametrize("value", [255, 3])
def test_class_crops_work_with_one_class_or_none(value):
    labels = np.full((20, 30), value, np.uint8)
    one = Sample(np.repeat(labels[..., None], 3, 2), labels, "one")
    for seed in range(5):
        assert (Crop((40, 6), 1.0)(one, generator(seed)).labels[:20] == value).all()


def test_a_quarter_turn_is_exact():
    before = sample(21, 21)
    rotated = rotate(before, 90)
    assert (rotated.labels == np.rot90(before.labels)).all()
    assert (rotated.image == np.rot90(before.image)).all()


@pytest.mark.parametrize(("size", "degrees"), [((40, 60), 7.0), ((51, 30), -23.5), ((1, 9), 4.0)])
def test_rotation_equals_trigonometry(size, degrees):
    labels = np.random.default_rng(1).integers(0, 200, size).astype(np.uint8)
    rotated = rotate(Sample(np.zeros((*size, 3), np.uint8), labels, "one"), degrees).labels
    angle, (height, width) = np.deg2rad(degrees), size
    for row in range(height):
        for column in range(width):
            position = complex(column - (width - 1) / 2, (height - 1) / 2 - row)
            position *= np.exp(-1j * angle)  # rotate back; y points up
            left, top = position.real + (width - 1) / 2, (height - 1) / 2 - position.imag
            if min(abs(left % 1 - 0.5), abs(top % 1 - 0.5)) < 1e-3:
                continue  # halfway between two pixels: either is the nearest
            inside = 0 <= round(left) < width and 0 <= round(top) < height
            expected = labels[round(top), round(left)] if inside else 255
            assert rotated[row, column] == expected


def test_a_rotated_image_is_interpolated_and_its_corners_are_filled():
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 80, 0).repeat(3, 2)
    rotated = rotate(Sample(ramp, np.zeros((80, 100), np.uint8), "one"), 10)
    reference = np.array(Image.fromarray(ramp).rotate(10, Image.Resampling.BILINEAR), int)
    inner = np.abs(rotated.image[20:60, 25:75].astype(int) - reference[20:60, 25:75])
    assert inner.max() <= 1
    corners = rotated.labels == 255
    assert corners[0, 0] and corners[-1, -1] and not corners[40, 50]
    assert (rotated.image[0, 0] == FILL).all()
    assert set(np.unique(rotated.labels)) == {0, 255}


def test_rotations_are_in_both_directions_and_bounded():
    upright = Sample(np.zeros((101, 101, 3), np.uint8), np.zeros((101, 101), np.uint8), "one")
    upright.labels[:40, 50] = 1  # a pole; its tip shows the angle
    tips = []
    for seed in range(60):
        labels = Rotate(20)(upright, generator(seed)).labels
        row, column = np.argwhere(labels == 1)[0]
        tips.append(np.rad2deg(np.arctan2(50 - column, 50 - row)))
    assert max(tips) > 12 and min(tips) < -12
    assert max(np.abs(tips)) <= 21


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.7])
def test_blur_is_gaussian(sigma):
    image = np.random.default_rng(0).integers(0, 256, (23, 31, 3)).astype(np.uint8)
    reach = int(np.ceil(3 * sigma))
    expected = ndimage.gaussian_filter(
        image.astype(float), (sigma, sigma, 0), mode="nearest", radius=(reach, reach, 0)
    )
    assert np.abs(blur(image, sigma) - expected).max() <= 0.51


def test_blur_keeps_labels_and_varies():
    noisy = Sample(
        np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8), sample().labels, "one"
    )
    spreads = []
    for seed in range(40):
        result = Blur(2.0)(noisy, generator(seed))
        assert (result.labels == noisy.labels).all()
        spreads.append(result.image.std())
    assert max(spreads) > 0.9 * noisy.image.std() and min(spreads) < 0.3 * noisy.image.std()


def test_every_crop_can_be_drawn():
    corners = {Crop((19, 29))(sample(), generator(seed)).labels.tobytes() for seed in range(60)}
    assert len(corners) == 4


def test_flip_has_probability_one_half():
    flipped = [Flip()(sample(), generator(seed)).labels for seed in range(200)]
    mirrored = sum((labels == sample().labels[:, ::-1]).all() for labels in flipped)
    assert 70 < mirrored < 130


@pytest.mark.parametrize(("quarter", "orientations"), [(True, 8), (False, 4)])
def test_turns_and_flips_are_equally_often_in_every_orientation(quarter, orientations):
    original = sample(20, 20)
    turned = [np.rot90(original.labels, k) for k in range(4)]
    every = [*turned, *(np.fliplr(labels) for labels in turned)]
    seen = np.zeros(8, int)
    for seed in range(400):
        found = apply([Flip(), Turn(quarter)], original, generator(seed)).labels
        seen += [np.array_equal(found, labels) for labels in every]
    assert seen.sum() == 400 and np.count_nonzero(seen) == orientations
    expected = 400 / orientations
    assert all(abs(count - expected) < 4 * expected**0.5 for count in seen[seen > 0])


@pytest.mark.parametrize(("crop", "turns"), [((16, 16), (0, 1, 2, 3)), ((20, 30), (0, 2))])
def test_without_flip_photos_are_turned_and_never_mirrored(crop, turns):
    config = TrainConfig(flip=False, turn=True, zoom=(1.0, 1.0), jitter=0, crop=crop)
    given = sample(*crop)
    every = [np.rot90(given.labels, k) for k in turns]
    seen = np.zeros(len(every), int)
    for index in range(200):
        found = augment(given, config, 0, index).labels
        seen += [np.array_equal(found, labels) for labels in every]
    assert seen.sum() == 200 and all(abs(n - 200 / len(every)) < 30 for n in seen)


def test_crops_that_are_not_square_are_not_turned_by_a_quarter():
    config = TrainConfig(turn=True, zoom=(1.0, 1.0), jitter=0, crop="whole")
    given = sample(20, 30)
    shapes = {augment(given, config, 0, index).labels.shape for index in range(20)}
    assert shapes == {(20, 30)}
    assert Turn(quarter=False) in augmentation(config, (20, 30))
    assert Turn(quarter=True) in augmentation(config, (16, 16))


def test_scaling_adds_no_label():
    labels = np.random.default_rng(0).choice(np.array([0, 200, 255], np.uint8), (40, 60))
    before = Sample(np.zeros((40, 60, 3), np.uint8), labels, "one")
    for seed in range(6):
        after = Zoom(0.3, 3.0)(before, generator(seed))
        assert set(np.unique(after.labels)) <= {0, 200, 255}
        assert after.image.shape[:2] == after.labels.shape


def test_fit_downscales_and_never_enlarges():
    assert fit(sample(20, 30), (10, 30)).labels.shape == (10, 15)
    assert fit(sample(20, 30), (100, 100)).labels.shape == (20, 30)
    assert fit(sample(20, 30), None).labels.shape == (20, 30)
    assert fit(sample(1, 400), (50, 50)).labels.shape == (1, 50)


def test_jitter_keeps_labels_and_changes_colours():
    result = Jitter(0.3)(sample(), generator(3))
    assert (result.labels == sample().labels).all() and (result.image != sample().image).any()
    same = Jitter(0.0)(sample(), generator(3))
    assert np.abs(same.image.astype(int) - sample().image).max() <= 1


def test_random_numbers_depend_on_the_key_alone():
    steps = augmentation(TrainConfig(), (16, 16))
    first, again, other = (
        apply(steps, sample(), generator(*key)) for key in ((1, 2, 3), (1, 2, 3), (1, 2, 4))
    )
    assert first.image.tobytes() == again.image.tobytes() != other.image.tobytes()


FULL = TrainConfig(rotate=15, blur=1.5, class_crops=0.5, crop=(24, 24), zoom=(0.5, 2.0))


class Augmented(Dataset):
    """Keys (epoch, index) -> augmented samples."""

    def __len__(self):
        return 12

    def __getitem__(self, key):
        one = augment(sample(33, 47, seed=key % 6), FULL, key // 6, key % 6)
        return one.image, one.labels


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_and_threads_draw_the_same(workers, request):
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(2)
    here = [Augmented()[key] for key in range(12)]
    torch.set_num_threads(1)
    there = DataLoader(Augmented(), batch_size=None, num_workers=workers)
    for (image, labels), (other, same) in zip(here, there, strict=True):
        assert (image == other.numpy()).all() and (labels == same.numpy()).all()


def test_transforms_that_are_off_draw_no_number():
    """Adding a transform must not change trainings that do not use it."""
    plain = augmentation(TrainConfig(), (16, 16))
    assert [type(step) for step in plain] == [Flip, ZoomedCrop, Jitter]
    random, same = generator(4), generator(4)
    Crop((5, 6))(sample(), random)
    same.integers(20 - 5 + 1)
    same.integers(30 - 6 + 1)
    assert random.random() == same.random()


def test_all_transforms_together_keep_image_and_labels_aligned():
    for index in range(6):
        one = augment(
            sample(40, 60, index), FULL.model_copy(update={"jitter": 0, "blur": 0}), 0, index
        )
        assert one.image.shape == (24, 24, 3) and one.labels.shape == (24, 24)
        assert set(np.unique(one.labels)) <= {0, 1, 2, 3, 4, 255}


def test_augmentation_can_be_switched_off():
    off = TrainConfig(flip=False, zoom=(1.0, 1.0), jitter=0)
    assert augmentation(off, None) == ()


@pytest.mark.parametrize("rare", [0.0, 0.7])
@pytest.mark.parametrize("size", [(9, 11), (5, 300), (64, 64)])
def test_a_zoomed_crop_is_the_zoom_and_then_the_crop(size, rare):
    zoom, crop = Zoom(0.3, 3.0), Crop(size, rare)
    for seed in range(12):
        one = noise(int(20 + 7 * seed), 90, seed)
        expected = apply([zoom, crop], one, generator(seed))
        found = ZoomedCrop(zoom, crop)(one, generator(seed))
        assert np.array_equal(found.image, expected.image)
        assert np.array_equal(found.labels, expected.labels)


def noise(height, width, seed):
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Sample(image, random.integers(0, 4, (height, width)).astype(np.uint8), "noise")
