"""The contributions of the strides add up to the network's score."""

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.errors import ConfigError
from fullconv.explain.skips import draw_contributions, rounding, skip_contributions
from fullconv.io.palettes import voc_palette


def network(**settings):
    built = fc.create_model("fcn8s-vgg11", classes=3, width=1 / 16, hidden=4, **settings).eval()
    for number, layer in enumerate(built.score_layers()):
        torch.nn.init.normal_(layer.weight, generator=torch.manual_seed(number))
        torch.nn.init.constant_(layer.bias, 0.1 * number)
    return built


IMAGE = 255 * torch.rand(1, 3, 40, 70, generator=torch.manual_seed(9))


@pytest.mark.parametrize("settings", [{}, {"fusing": "sum"}, {"padding": 100}])
def test_the_sum_is_the_networks_score(settings):
    fcn = network(**settings)
    found = skip_contributions(fcn, IMAGE)
    assert [each.name for each in found] == ["32s", "16s", "8s"]
    assert rounding(fcn, IMAGE, found) < 1e-4
    with torch.inference_mode():
        assert torch.equal(found[-1].labels, fcn(IMAGE)[0].argmax(0))


def test_a_contribution_is_that_of_a_network_without_the_other_layers():
    fcn = network()
    found = skip_contributions(fcn, IMAGE)
    with torch.inference_mode():
        for layer in list(fcn.score_layers())[1:]:
            layer.weight.zero_()
            layer.bias.zero_()
        torch.testing.assert_close(found[0].score, fcn(IMAGE)[0])


def test_unpooling_is_refused():
    with pytest.raises(ConfigError, match="unpooling"):
        skip_contributions(network(upsampling="unpooling"), IMAGE)


def test_the_picture_names_each_stride_and_class():
    image = IMAGE[0].permute(1, 2, 0).numpy().astype(np.uint8)
    found = skip_contributions(network(), IMAGE)
    picture = draw_contributions(found, image, ("road", "<sky>", "car"), voc_palette(3), 1)
    assert "prediction of 32s + 16s + 8s" in picture and "score of &lt;sky&gt;" in picture
