"""The dry run finds problems and is rolled back."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from fullconv.data.labels import class_weights
from fullconv.data.sample import Data, Sample
from fullconv.training import preflight as dry_run
from toy_training import CONFIG, equal, make_trainer, state, toy_data


def preflight(trainer, val=None):
    """Return the result of a dry run."""
    steps = dry_run.preflight(trainer, val)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def relabelled(change):
    data = toy_data()

    def read(index):
        sample = data[index]
        return Sample(sample.image, change(sample.labels), sample.name)

    return Data("halves", None, data.classes, data.palette, data.names, read)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd"}, {"ema": 0.9, "warmup": 2}])
def test_the_dry_run_does_not_change_the_training(changes):
    config = CONFIG.model_copy(update=changes)
    with_trial, without = make_trainer(config), make_trainer(config)
    preflight(with_trial)
    assert equal(state(with_trial), state(without))
    assert [step.loss for step in with_trial.run()] == [step.loss for step in without.run()]
    assert equal(state(with_trial), state(without))


def test_valid_data_gives_no_warning():
    found = preflight(make_trainer())
    assert found.warnings == () and found.losses[-1] < found.losses[0]
    assert found.losses[0] == pytest.approx(np.log(2), rel=1e-4)
    assert found.timing.step > 0 and found.memory > 2**20


def test_a_learning_rate_that_is_too_high():
    found = preflight(make_trainer(CONFIG.model_copy(update={"lr": 50.0, "optimizer": "sgd"})))
    assert any("--lr 50" in warning for warning in found.warnings)


def test_a_learning_rate_that_is_too_high_without_the_warmup():
    changes = {"lr": 50.0, "optimizer": "sgd", "warmup": 5000}
    found = preflight(make_trainer(CONFIG.model_copy(update=changes)))
    assert not any("--lr" in warning for warning in found.warnings)


def test_classes_without_labels():
    found = preflight(make_trainer(data=relabelled(lambda labels: labels * 0)))
    assert any(
        "no training pixel has class bright, so it cannot be learned" in warning
        for warning in found.warnings
    )


def test_classes_without_labels_in_the_masks_that_were_read(monkeypatch):
    monkeypatch.setattr(class_weights, "MAX_SAMPLES", 2)
    trainer = make_trainer(data=relabelled(lambda labels: labels * 0))
    (found,) = dry_run._check_labels(trainer)
    assert found.startswith(
        "no training pixel in the 2 masks that were read has class bright, so it may not be learned"
    )


def test_images_with_ignored_pixels_only():
    found = preflight(make_trainer(data=relabelled(lambda labels: labels * 0 + 255)))
    assert any("the first batch has no labelled pixel" in warning for warning in found.warnings)


def test_a_skip_without_gradient():
    trainer = make_trainer()
    trainer.model.network.skip_scales = {"pool3": 0.0}
    found = preflight(trainer)
    assert [w for w in found.warnings if "score_pool3" in w]
    assert not [w for w in found.warnings if "score_pool4" in w]


def test_a_backbone_without_gradient():
    trainer = make_trainer()
    with torch.no_grad():
        for layer in trainer.model.network.score_layers():
            layer.weight.register_hook(lambda gradient: gradient * 0)
    assert any("backbone" in warning for warning in preflight(trainer).warnings)


def test_samples_that_are_slow_to_read_are_timed_apart_from_a_step():
    data = toy_data()

    def read(index):
        time.sleep(0.05)
        return data[index]

    slow = replace(data, read=read)
    assert preflight(make_trainer(data=slow)).timing.reading > 0.15  # 4 samples of 0.05 s
    assert preflight(make_trainer(data=data)).timing.reading < 0.15
