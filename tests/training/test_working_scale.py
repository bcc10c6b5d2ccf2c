"""The working scale and the windows follow from the sizes of objects, field, stride and time."""

import numpy as np
import pytest

from fullconv.config import RunConfig, TrainConfig
from fullconv.data.sample import Data, Sample
from fullconv.training.resolve import resolve, step_pixels
from fullconv.training.working_scale import (
    ObjectSizes,
    WorkingScale,
    choose_scale,
    choose_window,
    object_sizes,
)


def squares(side, size=(200, 240), gap=None):
    """Return labels with squares of class 1, `gap` pixels apart."""
    labels = np.zeros(size, np.uint8)
    for top in range(3, size[0] - side, side + (gap or side)):
        for left in range(3, size[1] - side, side + (gap or side)):
            labels[top : top + side, left : left + side] = 1
    return labels


def data_of(*masks):
    samples = [
        Sample(np.zeros((*labels.shape, 3), np.uint8), labels, f"sample-{number}")
        for number, labels in enumerate(masks)
    ]
    names = tuple(sample.name for sample in samples)
    colors = ((0, 0, 0), (9, 9, 9))
    return Data("drawn", "train", ("ground", "cell"), colors, names, samples.__getitem__)


def not_needed():
    raise AssertionError("the receptive field is not needed")


def scale_of(photo=(500, 500), thin=40.0, extent=50.0, stride=8, field=not_needed, device="cpu"):
    return choose_scale(ObjectSizes(photo, thin, "crack", extent), stride, field, device)


def test_objects_are_measured_over_the_samples():
    found = object_sizes(data_of(*[squares(20, gap=30)] * 3, squares(90)))
    assert found.photo == (200, 240) and found.extent == 20
    assert found == ObjectSizes((200, 240), 20.0, "cell", 20.0)


def test_only_some_samples_are_read_and_their_centres_measured(monkeypatch):
    read = []
    data = data_of(*[squares(20)] * 100)
    counted = Data(
        *("drawn", "train", data.classes, data.palette, data.names),
        lambda index: read.append(index) or data[index],
    )
    object_sizes(counted)
    assert len(read) <= 11
    monkeypatch.setattr("fullconv.training.working_scale.LARGEST_MASK", 40)
    labels = np.zeros((200, 240), np.uint8)
    labels[:60] = 1  # outside of the centre
    assert object_sizes(data_of(labels)).thin_class == "ground"


def test_photos_without_labels_keep_their_size():
    found = object_sizes(data_of(np.full((30, 40), 255, np.uint8)))
    assert choose_scale(found, 8, not_needed) == WorkingScale(1.0)
    assert choose_window(found, 1.0, 224**2) == (30, 40)


def test_photos_keep_their_size_where_nothing_speaks_against_it():
    assert scale_of() == WorkingScale(1.0)
    assert "own size" in str(scale_of())


@pytest.mark.parametrize(
    ("thin", "stride", "factor"), [(4, 8, 1.5), (10, 8, 1.5), (12, 8, 1), (10, 4, 1)]
)
def test_thin_classes_are_enlarged(thin, stride, factor):
    found = scale_of(thin=thin, stride=stride)
    assert found.factor == factor
    assert ("crack is about" in found.reason) is (factor > 1)


def test_objects_beyond_the_receptive_field_are_downscaled():
    found = scale_of((1400, 1400), thin=200, extent=900, field=lambda: 404)
    assert found.factor == 0.35 and "receptive field of 404" in found.reason
    assert scale_of((1400, 1400), thin=200, extent=900, field=lambda: 1115).factor == 1
    assert scale_of((1400, 1400), thin=32, extent=900, field=lambda: 404).factor == 0.5
    assert scale_of((600, 600), thin=200, extent=599, field=lambda: 404).factor == 0.7


@pytest.mark.parametrize(
    ("thin", "device", "factor"),
    [
        (60, "cpu", 0.5),
        (60, "cuda", 1),
        (5, "cpu", 1),
        (17, "cpu", 1),
        (24, "cpu", 0.7),
        (5, "cuda", 1),
    ],
)
def test_large_photos_are_downscaled_unless_a_class_is_thin(thin, device, factor):
    found = scale_of((3000, 4000), thin=thin, device=device)
    assert found.factor == factor
    assert ("3000 x 4000 pixels take long" in found.reason) is (factor < 1)
    assert ("--scale 1" in str(found)) is (factor < 1)


def test_windows_hold_objects_with_their_surroundings():
    most = 448**2

    def window(photo, extent, factor, most=most):
        return choose_window(ObjectSizes(photo, 60, "a", extent), factor, most)

    assert window((3000, 4000), 60, 0.5) == (224, 224)
    assert window((3000, 4000), 300, 0.5) == (320, 320)
    assert window((3000, 4000), 2000, 1) == (448, 448)
    assert window((200, 4000), 60, 1) == (200, 224)
    assert window((256, 290), 60, 1) == (256, 290)
    assert window((3000, 4000), 2000, 1, 256**2) == (256, 256)
    assert window((3000, 4000), 60, 1, 160**2) == (160, 160)
    assert window((256, 290), 60, 1, 160**2) == (160, 160)


def test_steps_of_few_minutes_are_small_so_that_many_fit():
    def pixels(**settings):
        return step_pixels(TrainConfig(device="cpu", **settings))

    assert pixels(minutes=15) == pixels(steps=100) == pixels() == 4 * 256**2
    assert pixels(minutes=60) == 4 * 256**2
    assert pixels(minutes=2) == 4 * 160**2 < pixels(minutes=9) < 4 * 256**2


def test_given_settings_are_kept():
    data = data_of(*[squares(4, (600, 700))] * 3)

    def decided(**settings):
        given = RunConfig(data="drawn", model="fcn8s-vgg11", device="cpu", **settings)
        found, _ = resolve(given, data)
        return found.size, found.input_scale, found.crop, found.batch

    assert decided() == (None, 1.5, (224, 224), 6)
    assert decided(input_scale=1) == (None, 1, (224, 224), 6)
    assert decided(input_scale=0.4) == (None, 0.4, (240, 280), 4)
    assert decided(size=(300, 300)) == ((300, 300), 1, (257, 300), 4)
    assert decided(size=(300, 300), input_scale=2) == ((300, 300), 2, (514, 600), 4)
    assert decided(crop=(64, 64)) == (None, 1.5, (64, 64), 4)
    assert decided(crop=(64, 64), input_scale=1, batch=3) == (None, 1, (64, 64), 3)
    assert decided(crop="whole") == (None, 1, "whole", 4)
