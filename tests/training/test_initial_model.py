"""The initial model depends on the settings and the data only."""

import torch

from fullconv.training.initial_model import initial_model
from halves import CONFIG, equal, halves


def weights(model):
    return model.network.state_dict()


def test_the_seed_determines_the_weights_and_the_global_generator_is_untouched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again = initial_model(CONFIG, halves()), initial_model(CONFIG, halves())
    other = initial_model(CONFIG.model_copy(update={"seed": 1}), halves())
    assert torch.equal(torch.rand(1), expected)
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(other))


def test_classes_and_palette_come_from_the_data_and_size_from_the_settings():
    data = halves()
    model = initial_model(CONFIG.model_copy(update={"size": (24, 40)}), data)
    assert (model.classes, model.palette, model.size) == (data.classes, data.palette, (24, 40))


def test_given_weights_are_loaded(tmp_path):
    trained = initial_model(CONFIG.model_copy(update={"seed": 3}), halves())
    trained.save(tmp_path / "trained.safetensors")
    config = CONFIG.model_copy(update={"weights": str(tmp_path / "trained.safetensors")})
    assert equal(weights(initial_model(config, halves())), weights(trained))
