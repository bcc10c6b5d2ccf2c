"""Pyramid pooling: means over sliding windows beside a feature."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

import fullconv as fc
from fullconv.errors import ConfigError
from fullconv.networks.geometry import Field
from fullconv.networks.layers import FeatureInfo
from fullconv.networks.pyramid import Pyramid
from random_networks import in_strips, photo, random_network

SMALL = {"width": 1 / 16, "hidden": 8}


def test_the_means_are_those_of_the_pixels_inside():
    pyramid = Pyramid(3, 2, (3, 5)).eval()
    x = torch.randn(1, 3, 6, 9)
    out = pyramid(x)
    assert out.shape == (1, 7, 6, 9) and torch.equal(out[:, :3], x)
    for number, window in enumerate((3, 5)):
        ones = np.ones((window, window))
        counts = convolve(np.ones((6, 9)), ones, mode="constant")
        means = [convolve(plane, ones, mode="constant") / counts for plane in x[0].double().numpy()]
        weight = pyramid.get_submodule(f"mean{window}.conv").weight[:, :, 0, 0].detach().double()
        expected = np.einsum("kc,chw->khw", weight.numpy(), means).clip(0) / (1 + 1e-5) ** 0.5
        found = out[0, 3 + 2 * number : 5 + 2 * number].detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_its_receptive_field_is_that_of_the_widest_window():
    info = Pyramid(3, 2, (3, 5)).after(FeatureInfo(3, Field()))
    assert (info.width, info.field.size, info.field.map) == (7, 5, Field().map)


def test_a_network_with_a_pyramid_gives_the_same_scores_in_strips():
    network = random_network("fcn8s-vgg11_bn", **SMALL, pyramid=4, context=6)
    assert network.context_fr.conv.in_channels == 8 + 4 * 4
    x = torch.from_numpy(photo(150, 90)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        whole = network(x)
    strips, _ = in_strips(network, x, 32)
    torch.testing.assert_close(strips, whole, rtol=1e-5, atol=1e-5)
    part, _ = in_strips(network, x, 32, ((40, 100), (20, 70)))
    torch.testing.assert_close(part, whole[..., 40:100, 20:70], rtol=1e-5, atol=1e-5)


def test_a_pyramid_is_part_of_the_model_file_and_of_no_other_files(tmp_path):
    model = fc.Model(random_network("fcn16s-vgg11", **SMALL, pyramid=3), ["a", "b", "c", "d"])
    model.save(tmp_path / "model.safetensors")
    image = photo(40, 70)
    loaded = fc.load(tmp_path / "model.safetensors")
    assert loaded.network.architecture.pyramid == 3
    np.testing.assert_array_equal(loaded.predict(image).labels, model.predict(image).labels)
    assert "pyramid" not in fc.create_model("fcn16s-vgg11", 2, **SMALL).architecture.model_dump()


def test_a_pyramid_is_refused_with_unpooling():
    with pytest.raises(ConfigError, match="context and pyramid have no effect"):
        fc.create_model("fcn8s-vgg11", 2, **SMALL, upsampling="unpooling", pyramid=4)
