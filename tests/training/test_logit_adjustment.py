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
    lowered = 0.5 * torch.tensor(4.0).log()  # the absent class as the heaviest one
    expected = torch.tensor([0.0, lowered, lowered]).view(1, 3, 1, 1)
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


def adjusted(scores, weights, factor):
    """Return the scores at the centre of a network that has the given ones everywhere."""
    network = create_model("fcn32s-vgg11", 3, width=1 / 32, hidden=4).eval()
    (layer,) = network.score_layers()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(scores)
        with logit_adjusted(network, weights, factor):
            return network(torch.zeros(1, 3, 64, 64))[0, :, 32, 32]


def test_an_absent_class_is_never_raised_above_another_whatever_the_scale_of_the_weights():
    scores, weights = torch.tensor([0.0, 1.5, 0.0]), torch.tensor([1.45, 20.5, 0.0])
    found = [adjusted(scores, scale * weights, 0.75) for scale in (0.01, 1.0, 100.0)]
    for each in found:
        changed = each - scores
        assert changed[2] <= changed[:2].min() + 1e-6
        torch.testing.assert_close(each.softmax(0), found[0].softmax(0))
        assert each.argmax() == found[0].argmax() != 2


def test_weights_of_zero_alone_change_nothing():
    scores = torch.tensor([0.0, 1.5, 0.0])
    assert torch.equal(adjusted(scores, torch.zeros(3), 0.75), scores)
