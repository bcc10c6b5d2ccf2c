"""Logit adjustment lowers the scores by the log weights and restores the weights afterwards."""

import pytest
import torch

from fullconv.networks.fcn import create_model
from fullconv.training.logit_adjustment import logit_adjusted


@pytest.mark.parametrize("name", ["fcn32s-vgg11", "fcn8s-vgg11_bn", "fcn4s-vgg11"])
@pytest.mark.parametrize("padding", ["same", 100])
def test_scores_are_lowered_by_the_log_weights(name, padding):
    torch.manual_seed(0)
    network = create_model(name, 3, width=1 / 32, hidden=4, padding=padding).eval().double()
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    weights = torch.tensor([1.0, 4.0, 0.0])
    image = 255 * torch.rand(1, 3, 96, 128, dtype=torch.float64)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        before = network(image)
        with logit_adjusted(network, weights, 0.5):
            found = network(image)
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[key])
    border = int(name[3:].partition("s")[0]) // 2
    inner = (before - found)[..., border : 96 - border, border : 128 - border]
    expected = torch.tensor([0.0, 0.5 * torch.tensor(4.0).log(), 0.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(inner, expected.expand_as(inner).double(), rtol=1e-6, atol=1e-6)


def test_factor_one_undoes_the_class_weights_exactly():
    """Scores that minimize a loss with weights w over frequencies f are log(w f)."""
    frequency, weights = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([1.0, 3.0, 9.0])
    network = create_model("fcn32s-vgg11", 3, width=1 / 32, hidden=4).eval()
    (layer,) = network.score_layers()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_((weights * frequency).log())
        with logit_adjusted(network, weights, 1.0):
            found = network(torch.zeros(1, 3, 64, 64)).softmax(1)
    torch.testing.assert_close(found[0, :, 32, 32], frequency)
