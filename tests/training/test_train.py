"""`fc.train` trains a given model as that model predicts, and refuses settings it would ignore."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.cli._train_config import new_settings
from fullconv.cli.train import prepare
from fullconv.data.sample import Sample
from fullconv.data.transforms import fit
from fullconv.errors import ConfigError, DataError
from fullconv.training.distributed import SINGLE_PROCESS
from fullconv.training.run.folder import create_run
from fullconv.training.train import make_trainer
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


def test_a_loop_of_ones_own_is_the_training_of_the_command(tmp_path):
    source = "scenes:10@32x40"
    given = {"model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 8, "weights": "none", "steps": 3}
    command = new_settings({"data": source, "keep": "last"} | given, None, None)
    experiment, _ = prepare(command, SINGLE_PROCESS)
    experiment.attach(create_run(tmp_path, "train", "tiny"))
    list(experiment.events())

    own = given["model"], fc.open_data(source, "train"), fc.TrainConfig(**given)
    settings = make_trainer(*own).config
    stored = experiment.run.read_config() | {"keep": "best"}
    assert stored.pop("data") == source and settings == fc.TrainConfig(**stored)
    assert settings.crop and settings.turn is False and settings.logit_adjust and settings.ema
    *_, step = fc.train(*own)
    step.model.save(tmp_path / "own.safetensors")
    assert (tmp_path / "own.safetensors").read_bytes() == experiment.run.best.read_bytes()


@pytest.mark.parametrize("given", [{}, {"crop": (16, 16), "turn": False, "loss": "focal"}])
def test_open_settings_of_a_given_model_follow_from_the_data(given):
    random = np.random.default_rng(0)
    samples = [
        Sample(image, (image[..., 0] > 250).astype(np.uint8), f"n{index}")
        for index, image in enumerate(random.integers(0, 256, (12, 32, 32, 3), np.uint8))
    ]
    names = tuple(sample.name for sample in samples)
    data = replace(toy_data(), names=names, read=samples.__getitem__)
    model = tiny(input_scale=0.5)
    decided = make_trainer(model, data, fc.TrainConfig(steps=1, device="cpu", **given)).config
    expected = {"crop": (16, 16), "turn": True, "loss": "cross-entropy+0.5*dice"} | given
    assert {name: getattr(decided, name) for name in expected} == expected
    facts = {"model": "fcn32s-vgg11", "width": 1 / 16, "hidden": 8, "input_scale": 0.5}
    facts |= {"lr": 1e-3, "freeze_bn": False, "weights": "none", "context": 0}
    assert {name: getattr(decided, name) for name in facts} == facts


def test_the_weights_in_training_become_those_of_the_model_at_the_end():
    config = fc.TrainConfig(**PLAIN | {"steps": 3, "ema": 0.9, "loss": "cross-entropy"})
    *_, plain = fc.train(tiny(), toy_data(), config.model_copy(update={"ema": 0.0}))
    seen = []
    for step in fc.train(tiny(), toy_data(), config):
        seen.append(step.model.network.score_fr.bias.detach().clone())
    assert torch.equal(seen[-1], plain.model.network.score_fr.bias), "it yields those in training"
    average = torch.zeros(2)  # the scores' layers start as zero
    for number, bias in enumerate(seen, 1):
        decay = (1 + number) / (10 + number)
        average = decay * average + (1 - decay) * bias
    assert torch.allclose(step.model.network.score_fr.bias, average)


def test_there_have_to_be_samples():
    for model in (tiny(), "fcn32s-vgg11", "auto"):
        with pytest.raises(DataError, match="no samples to train on"):
            fc.train(model, replace(toy_data(), names=()))


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
