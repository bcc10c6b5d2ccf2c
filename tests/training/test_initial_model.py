"""The initial model depends on the settings and the data only."""

import torch

from fullconv.training.initial_model import initial_model
from toy_training import CONFIG, equal, toy_data


def weights(model):
    return model.network.state_dict()


def test_the_seed_determines_the_weights_and_the_global_generator_is_untouched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again = initial_model(CONFIG, toy_data()), initial_model(CONFIG, toy_data())
    other = initial_model(CONFIG.model_copy(update={"seed": 1}), toy_data())
    assert torch.equal(torch.rand(1), expected)
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(other))


def test_classes_and_palette_come_from_the_data_and_size_from_the_settings():
    data = toy_data()
    model = initial_model(CONFIG.model_copy(update={"size": (24, 40)}), data)
    assert (model.classes, model.palette, model.size) == (data.classes, data.palette, (24, 40))


def test_given_weights_are_loaded(tmp_path):
    trained = initial_model(CONFIG.model_copy(update={"seed": 3}), toy_data())
    trained.save(tmp_path / "trained.safetensors")
    config = CONFIG.model_copy(update={"weights": str(tmp_path / "trained.safetensors")})
    assert equal(weights(initial_model(config, toy_data())), weights(trained))
