"""Drawn scenes are functions of their arguments, with all classes, and not solved by colour."""

from itertools import combinations

import numpy as np
import pytest

from fullconv.data.synthetic import CLASSES, PALETTE, draw


@pytest.fixture(scope="module")
def scenes():
    return [draw(0, index, 120, 160) for index in range(60)]


def test_a_scene_is_a_function_of_its_arguments():
    first, _, again = draw(3, 17, 60, 80), draw(1, 2, 50, 60), draw(3, 17, 60, 80)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.name == "scene-00017"


def test_seeds_and_indices_give_different_scenes():
    drawn = [draw(seed, index, 60, 80) for seed, index in ((3, 17), (4, 17), (3, 18), (17, 3))]
    for one, two in combinations(drawn, 2):
        assert (one.image != two.image).mean() > 0.5
        assert (one.labels != two.labels).any()


@pytest.mark.parametrize("size", [(16, 16), (17, 61), (61, 17), (16, 300)])
def test_odd_and_extreme_sizes(size):
    for index in range(8):
        sample = draw(2, index, *size)
        assert sample.labels.shape == size and sample.labels.max() < len(CLASSES)
        assert sample.image.shape == (*size, 3) and sample.image.dtype == np.uint8


def test_every_class_is_common(scenes):
    shares = np.array([np.bincount(s.labels.ravel(), minlength=7) / s.labels.size for s in scenes])
    present, mean = (shares > 0).mean(0), shares.mean(0)
    assert (present > 0.7).all(), dict(zip(CLASSES, present, strict=True))
    floors = dict(sky=0.05, building=0.1, road=0.2, tree=0.02, car=0.02, person=0.008, pole=0.005)
    for name, share in zip(CLASSES, mean, strict=True):
        assert share >= floors[name], f"{name}: {share:.4f}"
    assert len(set(PALETTE)) == len(CLASSES)


def test_images_are_neither_flat_nor_clipped(scenes):
    for sample in scenes:
        assert sample.image.std() > 12
        assert ((sample.image == 0) | (sample.image == 255)).mean() < 0.35


def test_classes_cannot_be_inferred_from_colour_alone(scenes):
    """The best prediction from a quantized colour is wrong for much of the small classes."""
    counts = np.zeros((16**3, 7))
    for sample in scenes:
        red, green, blue = np.moveaxis(sample.image.astype(np.intp) // 16, -1, 0)
        np.add.at(counts, (red * 256 + green * 16 + blue, sample.labels), 1)
    hit = np.zeros(7)
    np.add.at(hit, counts.argmax(1), counts.max(1))
    union = counts.sum(0) + np.bincount(counts.argmax(1), counts.sum(1), 7) - hit
    assert (hit / union).mean() < 0.5
