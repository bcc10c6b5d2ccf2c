"""Non-finite numbers: training stops before they reach the weights, and names the samples."""

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
    """Put a non-finite value into the images of one step."""
    original_step = Trainer.train_step

    def train_step(self, batch):
        if self.done + 1 == step:
            batch.image[0, 0, 3, 4] = value
        return original_step(self, batch)

    monkeypatch.setattr(Trainer, "train_step", train_step)


@pytest.mark.parametrize(("step", "value"), [(1, "nan"), (2, "inf"), (6, "nan")])
def test_a_non_finite_pixel_stops_the_training(tmp_path, monkeypatch, capsys, step, value):
    poisoned(monkeypatch, step, float(value))
    monkeypatch.setattr("fullconv.training.experiment.SAVE_SECONDS", 0.0)
    names = next(batches(built().data, built().config, 2, range(step - 1, step))).names
    settings = [f"--set={key}={value}" for key, value in CONFIG.items() if key != "data"]
    assert run(["train", CONFIG["data"], *settings, "--out", str(tmp_path), "--name", "nan"]) == 3
    output = capsys.readouterr().err
    assert f"step {step}" in output and all(name in output for name in names)
    kept = tmp_path / "train" / "nan-001" / "last.safetensors"
    assert kept.is_file() == (step > 1)
    if step > 1:
        assert finite(kept)
        monkeypatch.undo()
        again = built()
        assert again.restore(kept)["step"] == step - 1


def test_an_infinite_learning_rate_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    """The setting cannot be infinite, but the rate may become so; the checkpoint is kept."""
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
    with pytest.raises(DivergedError, match=r"no longer finite after step 3.*learning rate lower"):
        experiment.save()
    with pytest.raises(DivergedError, match=r"after step 3|at step 4"):
        next(events)
    assert experiment.run.last.read_bytes() == before and finite(experiment.run.last)
    with pytest.raises(ConfigError):
        RunConfig.checked(**CONFIG, lr=float("inf"))


def test_non_finite_weights_are_never_the_best_model(tmp_path):
    experiment = Experiment(RunConfig(**CONFIG | {"keep": "last"}))
    experiment.attach(create_run(tmp_path, "train", "inf"))
    with pytest.raises(DivergedError, match="no longer finite"):
        for event in experiment.events():
            if event.ends_epoch:
                next(experiment.model.network.parameters()).data[0] = float("nan")
    assert not experiment.run.best.exists() and not experiment.run.last.exists()


@pytest.mark.parametrize("name", list(losses))
@pytest.mark.parametrize("balance", ["none", "median-freq"])
def test_a_batch_of_ignored_pixels_has_no_loss(name, balance):
    spec = name if balance == "none" else f"{name}+cross-entropy"
    trainer = built(loss=spec, balance=balance)
    batch = next(batches(trainer.data, trainer.config, 2, range(1)))
    batch.labels.fill_(255)
    assert trainer.train_step(batch) == 0
    trainer.check_weights()


def test_data_with_ignored_pixels_only_can_be_trained_on():
    trainer = built(epochs=None, steps=2)
    data = trainer.data
    void = [np.full_like(sample.labels, 255) for sample in data]
    read = data.read
    blank = type(data)(
        *("void", None, data.classes, data.palette, data.names),
        lambda index: type(data[0])(read(index).image, void[index], data.names[index]),
    )
    losses = [step.loss for step in Trainer(trainer.model, blank, trainer.config).run()]
    assert losses == [0.0, 0.0]
    trainer.check_weights()


def test_batch_size_one_with_batch_norm():
    trainer = built(batch=1, epochs=None, steps=3)
    assert all(np.isfinite(step.loss) for step in trainer.run())


def test_batch_norm_rejects_a_single_value():
    """The coarsest feature map of a 16 x 16 crop is a single cell, which has no variance."""
    with pytest.raises(ConfigError, match=r"1 image of 16 x 16.*--batch or --crop"):
        list(built(batch=1, crop=(16, 16)).run())
    assert len(list(built(batch=2, crop=(16, 16), epochs=None, steps=2).run())) == 2
    with pytest.raises(ConfigError, match=r"accumulate"):
        list(built(batch=2, crop=(16, 16), accumulate=2).run())


def test_non_finite_buffers_are_not_saved(tmp_path):
    trainer = built()
    with torch.no_grad():
        next(trainer.model.network.buffers()).fill_(float("nan"))
    with pytest.raises(DivergedError):
        trainer.save(tmp_path / "last.safetensors")
    assert not list(tmp_path.iterdir())
