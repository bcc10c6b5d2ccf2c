"""Numbers that are none: a training stops before they reach the weights, and says on what."""

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.cli import run
from fullconv.config import RunConfig
from fullconv.errors import ConfigError, DivergedError
from fullconv.training.experiment import Experiment
from fullconv.training.initial_model import initial_model
from fullconv.training.losses import losses
from fullconv.training.run.folder import create_run
from fullconv.training.sampler import batches
from fullconv.training.trainer import Trainer

CONFIG = {
    "data": "scenes:8@32x40",
    "model": "fcn8s-vgg11_bn",
    "width": 1 / 16,
    "hidden": 8,
    "epochs": 3,
    "batch": 2,
    "ema": 0.9,
}


def built(**settings):
    config = RunConfig(**CONFIG | settings)
    data = fc.open_data(config.data, "train")
    return Trainer(initial_model(config, data), data, config)


def finite(path):
    from safetensors.torch import load_file

    return all(value.isfinite().all() for value in load_file(path).values())


def poisoned(monkeypatch, step, value):
    """Let the photos of one step hold a value that is no number."""
    taught = Trainer.train_step

    def learn(self, batch):
        if self.done + 1 == step:
            batch.image[0, 0, 3, 4] = value
        return taught(self, batch)

    monkeypatch.setattr(Trainer, "train_step", learn)


@pytest.mark.parametrize(("step", "value"), [(1, "nan"), (2, "inf"), (6, "nan")])
def test_a_pixel_that_is_no_number(tmp_path, monkeypatch, capsys, step, value):
    poisoned(monkeypatch, step, float(value))
    monkeypatch.setattr("fullconv.training.experiment.SAVE_SECONDS", 0.0)
    names = next(batches(built().data, built().config, 2, range(step - 1, step))).names
    settings = [f"--set={key}={value}" for key, value in CONFIG.items() if key != "data"]
    assert run(["train", CONFIG["data"], *settings, "--out", str(tmp_path), "--name", "nan"]) == 3
    said = capsys.readouterr().err
    assert f"step {step}" in said and all(name in said for name in names)
    kept = tmp_path / "train" / "nan-001" / "last.safetensors"
    assert kept.is_file() == (step > 1)
    if step > 1:
        assert finite(kept)
        monkeypatch.undo()
        again = built()
        assert again.restore(kept)["step"] == step - 1


def test_a_rate_that_is_infinite(tmp_path, monkeypatch):
    """No setting is; but a rate may become it. It stops at once, and keeps what there was."""
    config = RunConfig(**CONFIG | {"optimizer": "sgd"})
    experiment = Experiment(config)
    experiment.attach(create_run(tmp_path, "train", "inf"))
    rate = Trainer.learning_rate
    events = experiment.events()
    for _ in range(2):
        next(events)
    experiment.save()
    before = experiment.run.last.read_bytes()
    monkeypatch.setattr(
        Trainer, "learning_rate", lambda self, step: rate(self, step) * float("inf")
    )
    next(events)
    with pytest.raises(DivergedError, match=r"no longer finite after step 3.*lower rate"):
        experiment.save()
    with pytest.raises(DivergedError, match=r"after step 3|at step 4"):
        next(events)
    assert experiment.run.last.read_bytes() == before and finite(experiment.run.last)
    with pytest.raises(ConfigError):
        RunConfig.checked(**CONFIG, lr=float("inf"))


def test_weights_that_are_no_numbers_become_nobodys_best(tmp_path):
    experiment = Experiment(RunConfig(**CONFIG | {"keep": "last"}))
    experiment.attach(create_run(tmp_path, "train", "inf"))
    with pytest.raises(DivergedError, match="no longer finite"):
        for event in experiment.events():
            if event.ends_epoch:
                next(experiment.model.network.parameters()).data[0] = float("nan")
    assert not experiment.run.best.exists() and not experiment.run.last.exists()


@pytest.mark.parametrize("name", list(losses))
@pytest.mark.parametrize("balance", ["none", "median-freq"])
def test_a_batch_that_is_all_void_has_no_loss(name, balance):
    spec = name if balance == "none" else f"{name}+cross-entropy"
    training = built(loss=spec, balance=balance)
    batch = next(batches(training.data, training.config, 2, range(1)))
    batch.labels.fill_(255)
    assert training.learn(batch) == 0
    training.check_weights()


def test_data_that_is_all_void_trains_to_its_end():
    training = built(steps=2)
    data = training.data
    void = [np.full_like(sample.labels, 255) for sample in data]
    read = data.read
    blank = type(data)(
        *("void", None, data.classes, data.palette, data.names),
        lambda index: type(data[0])(read(index).image, void[index], data.names[index]),
    )
    losses = [step.loss for step in Trainer(training.model, blank, training.config).run()]
    assert losses == [0.0, 0.0]
    training.check_weights()


def test_one_photo_at_a_time_with_batch_norm():
    training = built(batch=1, steps=3)
    assert all(np.isfinite(step.loss) for step in training.run())


def test_one_value_has_no_spread():
    """The coarsest map of a window of 16 x 16 is one cell, of which no norm can learn anything."""
    with pytest.raises(ConfigError, match=r"1 photo of 16 x 16.*--batch or --crop"):
        list(built(batch=1, crop=(16, 16)).run())
    assert len(list(built(batch=2, crop=(16, 16), steps=2).run())) == 2
    with pytest.raises(ConfigError, match=r"accumulate"):
        list(built(batch=2, crop=(16, 16), accumulate=2).run())


def test_a_checkpoint_of_numbers_only(tmp_path):
    training = built()
    with torch.no_grad():
        next(training.model.network.buffers()).fill_(float("nan"))
    with pytest.raises(DivergedError):
        training.save(tmp_path / "last.safetensors")
    assert not list(tmp_path.iterdir())
