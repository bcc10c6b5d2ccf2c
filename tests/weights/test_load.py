"""Normalization and skip scales that a network takes from a weights file."""

import numpy as np
import torch
from torch import nn

from fullconv.networks.fcn import create_model
from fullconv.weights.load import apply_normalization, apply_skip_scales


def at_once(scales):
    return create_model("fcn16s-vgg11", 2, width=1 / 64, hidden=2, skip_scales=scales)


def test_without_skip_scales_the_factors_are_multiplied_into_the_weights():
    factors = np.array([0.5, 0.5], np.float32)
    weight = np.ones((3, 2, 1, 1), np.float32)
    arrays = {"scale_pool4.weight": factors, "score_pool4.weight": weight}
    apply_skip_scales(nn.Identity(), arrays)
    assert arrays.keys() == {"score_pool4.weight"}
    np.testing.assert_array_equal(arrays["score_pool4.weight"], weight / 2)


def test_factors_without_a_score_layer_are_not_used():
    arrays = {"scale_pool4.weight": np.array([0.5, 0.25], np.float32)}
    assert apply_skip_scales(at_once(None), arrays) == []
    assert "scale_pool4.weight" in arrays


def test_a_file_without_factors_is_noted():
    network = at_once((0.25,))
    (note,) = apply_skip_scales(network, {"score_pool4.weight": np.ones((2, 8, 1, 1), np.float32)})
    assert "pool4 by 0.25" in note and network.skip_scales == {"pool4": 0.25}


def test_unequal_factors_replace_those_of_the_network():
    network = at_once((0.25,))
    arrays = {
        "scale_pool4.weight": np.array([0.5, 2], np.float32),
        "score_pool4.weight": np.ones((2, 2, 1, 1), np.float32),
    }
    apply_skip_scales(network, arrays)
    assert network.skip_scales == {"pool4": 1.0} and network.architecture.skip_scales == (1.0,)
    np.testing.assert_array_equal(arrays["score_pool4.weight"][0].ravel(), [0.5, 2])


@torch.no_grad()
def test_the_network_takes_the_normalization_of_the_weights():
    network = at_once(None)
    apply_normalization(network, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), "bgr")
    image = torch.tensor([12.0, 28.0, 45.0]).view(1, 3, 1, 1)
    assert network.normalize(image).flatten().tolist() == [3, 2, 1]


def test_without_information_the_normalization_is_unchanged():
    network = at_once(None)
    before = network.normalization
    (note,) = apply_normalization(network, None, None, "bgr")
    assert network.normalization == before and "does not say" in note
    assert apply_normalization(nn.Identity(), (1.0,) * 3, (1.0,) * 3, "rgb") == []


def test_factors_that_are_not_one_per_channel_are_left_over():
    arrays = {
        "scale_pool4.weight": np.float32(0.5).reshape(()),
        "score_pool4.weight": np.ones((2, 8, 1, 1), np.float32),
    }
    assert apply_skip_scales(nn.Identity(), arrays) == [] and len(arrays) == 2
