"""The model that a training begins with follows from its settings and the data alone."""

import torch

from fullconv.training.initial_model import initial_model
from halves import CONFIG, equal, halves


def weights(model):
    return model.network.state_dict()


def test_the_seed_decides_the_weights_and_leaves_a_users_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again = initial_model(CONFIG, halves()), initial_model(CONFIG, halves())
    other = initial_model(CONFIG.model_copy(update={"seed": 1}), halves())
    assert torch.equal(torch.rand(1), expected)
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(other))


def test_classes_and_colours_are_the_datas_and_the_size_the_settings():
    data = halves()
    model = initial_model(CONFIG.model_copy(update={"size": (24, 40)}), data)
    assert (model.classes, model.palette, model.size) == (data.classes, data.palette, (24, 40))


def test_given_weights_are_taken_over(tmp_path):
    trained = initial_model(CONFIG.model_copy(update={"seed": 3}), halves())
    trained.save(tmp_path / "trained.safetensors")
    config = CONFIG.model_copy(update={"weights": str(tmp_path / "trained.safetensors")})
    assert equal(weights(initial_model(config, halves())), weights(trained))
