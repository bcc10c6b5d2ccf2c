import json

import numpy as np
import pytest
import torch

from fullconv.data.labels import class_weights as module
from fullconv.data.labels.class_weights import (
    RULES,
    Counts,
    class_weights,
    effective_number,
    median_frequency,
    median_share,
)
from fullconv.data.sample import Data, Sample
from fullconv.io.palettes import voc_palette

EQUAL = Counts(np.array([50, 50, 50]), np.array([150, 150, 150]))
UNEQUAL = Counts(np.array([900, 90, 10]), np.array([1000, 500, 100]))


@pytest.mark.parametrize("rule", RULES)
def test_equal_classes_have_equal_weights(rule):
    weights = RULES[rule](EQUAL)
    np.testing.assert_allclose(weights, weights[0])


@pytest.mark.parametrize("rule", RULES)
def test_a_class_without_pixels_has_weight_zero(rule):
    weights = RULES[rule](Counts(np.array([5, 0, 5]), np.array([10, 0, 10])))
    assert np.isnan(weights[1]) and np.isfinite(weights[[0, 2]]).all()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "none"])
def test_rarer_classes_have_larger_weights(rule):
    assert (np.diff(RULES[rule](UNEQUAL)) > 0).all()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "none"])
def test_a_class_of_masks_that_were_left_out_has_the_largest_weight(rule, monkeypatch):
    labels = [[0, 0, 0, 1], [0, 0, 2, 2], [0, 0, 1, 1], [2, 2, 2, 2]]  # 2 in every other one

    def read(index):
        mask = np.array([labels[index]], np.uint8)
        return Sample(np.zeros((1, 4, 3), np.uint8), mask, str(index))

    classes = ("a", "b", "c", "d")
    data = Data("drawn", None, classes, voc_palette(4), ("0", "1", "2", "3"), read)
    every = class_weights(data, rule, torch.device("cpu"))
    assert every[2] > 0 and every[3] == 0, "all were read, so class d does not occur"
    monkeypatch.setattr(module, "MAX_SAMPLES", 2)
    some = class_weights(data, rule, torch.device("cpu"))
    assert some[2] == some[3] == some[:2].max() > 0


def test_median_frequency_of_both_definitions_by_hand():
    np.testing.assert_allclose(median_frequency(UNEQUAL), [0.18 / 0.9, 1.0, 0.18 / 0.1])
    np.testing.assert_allclose(median_share(UNEQUAL), [0.09 / 0.9, 1.0, 0.09 / 0.01])


def test_effective_number_is_the_papers_formula():
    base = 1 - 3 / 1000  # N = 1000 pixels / 3 classes
    plain = (1 - base) / (1 - base ** np.array([900.0, 90, 10]))
    np.testing.assert_allclose(effective_number(UNEQUAL), plain / plain.mean())


def test_enet_lies_between_its_bounds():
    weights = RULES["enet"](Counts(np.array([10**9, 1]), np.array([10**9, 10**9])))
    np.testing.assert_allclose(weights, [1 / np.log(2.02), 1 / np.log(1.02)], rtol=1e-4)


def test_the_weights_of_camvid_are_those_of_its_card(shared):
    card = json.loads((shared("camvid") / "dataset.json").read_text())
    height, width = card["size"][::-1]
    images = np.array(card["images_with_class_train"][:11])
    counts = Counts(np.array(card["pixels_train"][:11]), images * height * width)
    np.testing.assert_allclose(
        median_frequency(counts), card["median_frequency_weights_train"], atol=1e-3
    )
