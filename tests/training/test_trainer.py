"""Training reduces the loss, is reproducible and resumes exactly."""

import math
from dataclasses import replace

import pytest
import torch

import fullconv as fc
from fullconv.errors import ConfigError, DataError
from fullconv.training.initial_model import initial_model
from fullconv.training.sampler import batches
from fullconv.training.trainer import Trainer
from toy_training import CONFIG, equal, make_trainer, state, toy_data


def test_the_loss_falls():
    trainer = make_trainer(CONFIG.model_copy(update={"epochs": 20}))
    losses = [step.loss for step in trainer.run()]
    assert math.isclose(losses[0], math.log(2), rel_tol=1e-5), "zero scores lose ln K at first"
    assert losses[-1] < 0.3 * losses[0]
    assert fc.evaluate(trainer.model, toy_data()).pixel_accuracy > 0.9


def test_steps_have_number_and_epoch():
    steps = list(make_trainer().run())
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.epoch for step in steps] == [1, 1, 2, 2, 3, 3]
    assert [step.ends_epoch for step in steps] == [False, True] * 3
    seen = [name for step in steps[:2] for name in step.names]
    assert sorted(seen) == ["n0", "n1", "n2", "n3"]


def test_the_order_differs_between_epochs():
    config = CONFIG.model_copy(update={"epochs": 6})
    steps = list(make_trainer(config, toy_data(8)).run())
    orders = {tuple(n for s in steps if s.epoch == e for n in s.names) for e in range(1, 7)}
    assert len(orders) > 3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_seed_determines_the_weights(optimizer):
    config = CONFIG.model_copy(update={"optimizer": optimizer})
    first, again, other = (
        make_trainer(config.model_copy(update={"seed": seed})) for seed in (1, 1, 2)
    )
    for trainer in (first, again, other):
        list(trainer.run())
    assert equal(state(first), state(again)) and not equal(state(first), state(other))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_resumed_training_ends_in_the_same_bytes(tmp_path, optimizer, stop):
    config = CONFIG.model_copy(update={"optimizer": optimizer})
    whole = make_trainer(config)
    list(whole.run())
    whole.save(tmp_path / "whole.safetensors")
    part = make_trainer(config)
    for step in part.run():
        if step.number == stop:
            break
    part.save(tmp_path / "part.safetensors", note=7)
    rest = make_trainer(config)
    assert rest.restore(tmp_path / "part.safetensors")["note"] == 7 and rest.done == stop
    list(rest.run())
    rest.save(tmp_path / "rest.safetensors")
    assert (tmp_path / "rest.safetensors").read_bytes() == (
        tmp_path / "whole.safetensors"
    ).read_bytes()


def test_the_global_random_generator_is_untouched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    trainer = make_trainer()
    next(iter(trainer.run()))
    # The loader draws one seed for its workers; dropout and weights draw nothing.
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), expected)


def test_the_batch_is_limited_to_the_number_of_samples():
    assert len(list(make_trainer(CONFIG.model_copy(update={"batch": 16})).run())) == 3


def test_workers_do_not_change_the_result():
    config = CONFIG.model_copy(update={"epochs": 1})
    data = fc.open_data("scenes:8@32x32", "train")
    runs = [
        make_trainer(config.model_copy(update={"workers": workers}), data) for workers in (0, 2)
    ]
    for trainer in runs:
        list(trainer.run())
    assert equal(state(runs[0]), state(runs[1]))


def test_train_accepts_a_network_name_and_its_steps_have_the_model():
    config = CONFIG.model_copy(update={"epochs": 1})
    first, last = fc.train("fcn32s-vgg11", toy_data(), config)
    assert (first.number, last.number) == (1, 2)
    image = toy_data()[0].image
    assert last.model is first.model
    assert last.model.predict(image).labels.shape == image.shape[:2]


def test_data_with_other_classes_is_rejected():
    model = initial_model(CONFIG, toy_data())
    other = replace(toy_data(), classes=("a", "b"))
    with pytest.raises(DataError, match="expected those of the model, dark, bright"):
        Trainer(model, other, CONFIG)
    with pytest.raises(DataError, match="no samples"):
        Trainer(model, replace(toy_data(), names=()), CONFIG)


def test_a_model_is_trained_at_the_scale_that_it_predicts_at():
    config, data = CONFIG.model_copy(update={"crop": "whole", "zoom": (1.0, 1.0)}), toy_data()
    scaled, fitted, plain = (initial_model(config, data) for _ in range(3))
    scaled.input_scale, fitted.size = 0.5, (24, 24)
    for model, settings, side in (
        (scaled, {}, 16),
        (fitted, {}, 24),
        (plain, {"input_scale": 0.25}, 8),
        (plain, {"input_scale": 0.5, "size": (24, 24)}, 12),
    ):
        trainer = Trainer(model, data, config.model_copy(update=settings))
        batch = next(iter(batches(data, trainer.config, 2, range(1))))
        assert batch.image.shape[2:] == model.network_input(data[0].image).shape[:2] == (side, side)


def test_logit_adjustment_changes_the_inference_weights_only():
    changes = {"ema": 0.9, "balance": "enet"}
    plain, less = (
        make_trainer(CONFIG.model_copy(update=changes | {"logit_adjust": share}))
        for share in (0.0, 0.5)
    )
    list(plain.run())
    list(less.run())
    assert equal(state(plain), state(less))
    *_, layer = less.model.network.score_layers()
    *_, whole = plain.model.network.score_layers()
    with plain.inference_weights(), less.inference_weights():
        torch.testing.assert_close(whole.bias - layer.bias, 0.5 * less.loss.weights.log())
    assert equal(state(plain), state(less))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"balance": "enet", "learn_upsampling": True},
        {"balance": "enet", "final_loss": "lovasz"},  # the last steps have none
    ],
    ids=["no weights", "learned", "no weights at the end"],
)
def test_logit_adjustment_needs_class_weights_and_fixed_upsampling(changes):
    with pytest.raises(ConfigError, match="logit_adjust"):
        make_trainer(CONFIG.model_copy(update={"logit_adjust": 0.5, **changes}))


def test_ema_resumes_exactly(tmp_path):
    config = CONFIG.model_copy(update={"ema": 0.9, "channels_last": True})
    whole, half, rest = (make_trainer(config) for _ in range(3))
    list(whole.run())
    for step in half.run():
        if step.number == 3:
            break
    half.save(tmp_path / "half.safetensors")
    rest.restore(tmp_path / "half.safetensors")
    list(rest.run())
    assert equal(state(whole), state(rest)) and equal(whole.ema.values, rest.ema.values)
    with whole.inference_weights():
        assert not equal(state(whole), state(rest))


def test_the_last_steps_have_the_final_loss():
    config = CONFIG.model_copy(
        update={"final_loss": "0.5*cross-entropy+lovasz", "final_loss_share": 0.5}
    )
    trainer = make_trainer(config)
    assert trainer.steps == 6
    losses = [trainer.loss_of(step).describe() for step in range(6)]
    assert losses[:3] == ["mean cross entropy"] * 3
    assert losses[3:] == ["0.5 x mean cross entropy + Lovász-softmax"] * 3
    steps, plain = list(trainer.run()), list(make_trainer(CONFIG).run())
    assert [step.loss for step in steps[:3]] == [step.loss for step in plain[:3]]
    assert steps[3].loss != plain[3].loss


def test_a_final_loss_that_is_unknown_is_refused_before_the_first_step():
    with pytest.raises(ConfigError, match=r"final_loss is .\?.: expected names"):
        make_trainer(CONFIG.model_copy(update={"final_loss": "?"}))
