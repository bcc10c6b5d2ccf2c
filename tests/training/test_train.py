"""`fc.train` trains a given model as that model predicts, and refuses settings it would ignore."""

import pytest
import torch

import fullconv as fc
from fullconv.data.transforms import fit
from fullconv.errors import ConfigError
from toy_training import toy_data

PLAIN = {"steps": 1, "batch": 2, "crop": "whole", "device": "cpu", "flip": False, "jitter": 0}
PLAIN |= {"zoom": (1, 1), "turn": False}


def tiny(**options):
    torch.manual_seed(0)
    network = fc.create_model("fcn32s-vgg11", 2, width=1 / 16, hidden=8)
    return fc.Model(network, toy_data().classes, **options)


@pytest.mark.parametrize("options", [{"size": (16, 16)}, {"input_scale": 0.5}, {}])
def test_a_model_is_trained_at_the_size_of_its_predictions(options, monkeypatch):
    model, seen = tiny(**options), []
    model.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:]))
    list(fc.train(model, toy_data(), fc.TrainConfig(**PLAIN)))
    sample = toy_data()[0]
    scaled = model.network_input(sample.image)
    assert {tuple(size) for size in seen} == {scaled.shape[:2]}
    assert fit(sample, model.size, model.input_scale).image.shape == scaled.shape


REFUSED = {
    "size": (8, 8),
    "input_scale": 2.0,
    "model": "fcn8s-vgg16",
    "width": 0.5,
    "weights": "imagenet",
    "padding": 100,
    "stages": ({"stride": 32},),
    "train_on": "train+val",
    "track": ("tensorboard",),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_would_be_ignored_is_refused(name):
    more = {"keep": "last"} if name == "train_on" else {}
    config = fc.TrainConfig(**PLAIN, **{name: REFUSED[name]}, **more)
    with pytest.raises(ConfigError, match=rf"^{name} is "):
        fc.train(tiny(), toy_data(), config)


def test_settings_that_say_what_the_model_is_are_accepted():
    same = {"model": "fcn32s-vgg11", "width": 1 / 16, "hidden": 8, "weights": "none", "context": 0}
    config = fc.TrainConfig(**PLAIN, **same, size=(16, 16), input_scale=1)
    assert len(list(fc.train(tiny(size=(16, 16)), toy_data(), config))) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": None}, "model is of the type NoneType; expected a name, or a model"),
        ({"data": "photos"}, r"data is of the type str; expected a data set: fc.open_data"),
        ({"config": {"steps": 1}}, r"config is of the type dict; expected settings: fc.TrainConf"),
    ],
)
def test_arguments_of_other_types_are_named(given, message):
    arguments = {"model": tiny(), "data": toy_data(), "config": fc.TrainConfig(**PLAIN)} | given
    with pytest.raises(ConfigError, match=message):
        fc.train(**arguments)
