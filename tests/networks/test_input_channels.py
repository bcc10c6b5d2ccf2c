"""Channels beside red, green and blue: filters, normalization, and networks that take them."""

import numpy as np
import pytest
import torch
from torch import nn

from fullconv.config import Architecture, Normalization
from fullconv.errors import ConfigError
from fullconv.networks.fcn import create_model
from fullconv.networks.input_channels import set_input_channels, widen_filters
from fullconv.networks.layers import Normalize

TINY = {"width": 1 / 16, "hidden": 4}


def test_further_filters_are_the_mean_of_the_three():
    filters = np.arange(2 * 3 * 1 * 1, dtype=np.float32).reshape(2, 3, 1, 1)
    widened = widen_filters(filters, 5)
    assert widened.shape == (2, 5, 1, 1)
    assert widened[:, :3].tolist() == filters.tolist()
    assert widened[:, 3:].reshape(2, 2).tolist() == [[1, 1], [4, 4]]


@pytest.mark.parametrize("name", ["fcn32s-vgg11", "fcn8s-alexnet", "fcn8s-mobilenet_v3_small"])
@torch.no_grad()
def test_networks_take_more_channels(name):
    settings = {} if "mobilenet" in name else TINY
    network = create_model(name, 2, channels=5, **settings).eval()
    nn.init.normal_(network.score_fr.weight)
    image = torch.rand(1, 5, 33, 40) * 255
    score = network(image)
    assert score.shape == (1, 2, 33, 40)
    image[:, 4] = 255 - image[:, 4]
    assert not torch.equal(network(image), score)


def test_only_colours_change_their_order():
    normalize = Normalize((0, 0, 0, 0, 0), (1, 1, 1, 1, 1), "bgr")
    image = torch.arange(5.0).view(1, 5, 1, 1)
    assert normalize(image).flatten().tolist() == [2, 1, 0, 3, 4]


def test_channels_without_a_mean_get_that_of_the_colours():
    given = Normalization(mean=(10, 20, 30), std=(1, 2, 3))
    assert given.for_channels(5).mean == (10, 20, 30, 20, 20)
    assert given.for_channels(3) == given


def test_more_means_than_channels_are_refused():
    with pytest.raises(ConfigError, match="mean and std of 4 channels for an image of 3"):
        create_model("fcn32s-vgg11", 2, mean=(1, 1, 1, 1), std=(1, 1, 1, 1), **TINY)


def test_a_first_layer_of_other_channels_is_refused():
    with pytest.raises(ConfigError, match="takes 4 channels"):
        set_input_channels(nn.Sequential(nn.Conv2d(4, 4, 3)), 5)
    with pytest.raises(ConfigError, match="does not take the image's channels"):
        set_input_channels(nn.Sequential(nn.Conv2d(1, 4, 3)), 5)


def test_files_of_photo_networks_keep_their_bytes():
    plain = Architecture(name="fcn32s-vgg11", classes=2).model_dump()
    assert "channels" not in plain
    assert "streams" not in plain
    wide = Architecture(name="fcn32s-vgg11", classes=2, channels=4)
    assert Architecture.checked(**wide.model_dump()) == wide


def test_streams_have_all_channels():
    with pytest.raises(ConfigError, match="take 6 channels; the image has 7"):
        create_model("fcn32s-vgg11", 2, channels=7, streams=(3, 3), **TINY)
