"""Photos and labels move together; labels are never invented; randomness is a function."""

import numpy as np
import pytest

from fullconv.config import TrainConfig
from fullconv.sample import Sample
from fullconv.transforms import Crop, Flip, Jitter, Scale, apply, augmentation, fit, generator


def sample(height=20, width=30, seed=0):
    """Each pixel's colour says its label, so that a mismatch shows."""
    labels = np.random.default_rng(seed).integers(0, 5, (height, width)).astype(np.uint8)
    return Sample(np.repeat(labels[..., None] * 40, 3, 2), labels, "one")


def together(result):
    filled = result.labels == 255
    return (result.image[..., 0][~filled] == result.labels[~filled] * 40).all()


@pytest.mark.parametrize("step", [Flip(), Crop((8, 11)), Crop((40, 50)), Crop((1, 1))])
def test_photo_and_labels_move_together(step):
    for seed in range(8):
        assert together(step(sample(), generator(seed)))


def test_a_window_that_reaches_past_the_photo_is_filled_with_void():
    result = Crop((25, 31))(sample(20, 30), generator(0))
    assert result.labels.shape == (25, 31) == result.image.shape[:2]
    assert (result.labels[20:] == 255).all() and (result.labels[:, 30:] == 255).all()
    assert (result.labels[:20, :30] == sample().labels).all()


def test_every_window_can_be_drawn():
    corners = {Crop((19, 29))(sample(), generator(seed)).labels.tobytes() for seed in range(60)}
    assert len(corners) == 4


def test_flip_mirrors_every_second_time():
    flipped = [Flip()(sample(), generator(seed)).labels for seed in range(200)]
    mirrored = sum((labels == sample().labels[:, ::-1]).all() for labels in flipped)
    assert 70 < mirrored < 130


def test_scaling_invents_no_label():
    labels = np.random.default_rng(0).choice(np.array([0, 200, 255], np.uint8), (40, 60))
    before = Sample(np.zeros((40, 60, 3), np.uint8), labels, "one")
    for seed in range(6):
        after = Scale(0.3, 3.0)(before, generator(seed))
        assert set(np.unique(after.labels)) <= {0, 200, 255}
        assert after.image.shape[:2] == after.labels.shape


def test_fit_scales_down_and_never_up():
    assert fit(sample(20, 30), (10, 30)).labels.shape == (10, 15)
    assert fit(sample(20, 30), (100, 100)).labels.shape == (20, 30)
    assert fit(sample(20, 30), None).labels.shape == (20, 30)
    assert fit(sample(1, 400), (50, 50)).labels.shape == (1, 50)


def test_jitter_leaves_labels_and_changes_light():
    result = Jitter(0.3)(sample(), generator(3))
    assert (result.labels == sample().labels).all() and (result.image != sample().image).any()
    same = Jitter(0.0)(sample(), generator(3))
    assert np.abs(same.image.astype(int) - sample().image).max() <= 1


def test_what_is_drawn_follows_from_the_key_alone():
    steps = augmentation(TrainConfig(), (16, 16))
    first, again, other = (
        apply(steps, sample(), generator(*key)) for key in ((1, 2, 3), (1, 2, 3), (1, 2, 4))
    )
    assert first.image.tobytes() == again.image.tobytes() != other.image.tobytes()


def test_augmentation_can_be_switched_off():
    off = TrainConfig(flip=False, scale=(1.0, 1.0), jitter=0)
    assert augmentation(off, None) == ()
