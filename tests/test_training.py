"""Training learns, repeats itself exactly, and goes on exactly where it stopped."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.errors import ConfigError, DataError, DivergedError
from fullconv.optimizers import make_optimizer, schedule
from fullconv.sample import Data, Sample
from fullconv.training import Training, choose_device, new_model

CONFIG = fc.TrainConfig(
    model="fcn8s-vgg11_bn", width=1 / 16, hidden=16, batch=2, epochs=3, crop=(32, 32), lr=1e-2
)


def halves(count=4, size=32):
    """Left half dark and class 0, right half bright and class 1."""

    def read(index):
        image = np.full((size, size, 3), 30 + index, np.uint8)
        image[:, size // 2 :] = 200
        labels = np.zeros((size, size), np.uint8)
        labels[:, size // 2 :] = 1
        return Sample(image, labels, f"n{index}")

    names = tuple(f"n{i}" for i in range(count))
    return Data("halves", None, ("dark", "bright"), ((0, 0, 0), (1, 1, 1)), names, read)


def training(config=CONFIG, data=None):
    data = data or halves()
    return Training(new_model(config, data), data, config)


def state(one):
    return {name: value.clone() for name, value in one.model.network.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns():
    one = training(CONFIG.model_copy(update={"epochs": 20}))
    losses = [step.loss for step in one.run()]
    assert math.isclose(losses[0], math.log(2), rel_tol=1e-5), "zero scores lose ln K at first"
    assert losses[-1] < 0.3 * losses[0]
    assert fc.evaluate(one.model, halves()).pixel_accuracy > 0.9


def test_steps_say_where_they_are():
    steps = list(training().run())
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.epoch for step in steps] == [1, 1, 2, 2, 3, 3]
    assert [step.ends_epoch for step in steps] == [False, True] * 3
    seen = [name for step in steps[:2] for name in step.names]
    assert sorted(seen) == ["n0", "n1", "n2", "n3"]


def test_the_order_is_another_every_epoch():
    config = CONFIG.model_copy(update={"epochs": 6})
    steps = list(training(config, halves(8)).run())
    orders = {tuple(n for s in steps if s.epoch == e for n in s.names) for e in range(1, 7)}
    assert len(orders) > 3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_seed_gives_the_same_weights_and_another_gives_others(optimizer):
    config = CONFIG.model_copy(update={"optimizer": optimizer})
    first, again, other = (training(config.model_copy(update={"seed": seed})) for seed in (1, 1, 2))
    for one in (first, again, other):
        list(one.run())
    assert equal(state(first), state(again)) and not equal(state(first), state(other))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_resumed_training_ends_in_the_same_bytes(tmp_path, optimizer, stop):
    config = CONFIG.model_copy(update={"optimizer": optimizer})
    whole = training(config)
    list(whole.run())
    whole.save(tmp_path / "whole.safetensors")
    part = training(config)
    for step in part.run():
        if step.number == stop:
            break
    part.save(tmp_path / "part.safetensors", note=7)
    rest = training(config)
    assert rest.restore(tmp_path / "part.safetensors")["note"] == 7 and rest.done == stop
    list(rest.run())
    rest.save(tmp_path / "rest.safetensors")
    assert (tmp_path / "rest.safetensors").read_bytes() == (
        tmp_path / "whole.safetensors"
    ).read_bytes()


def test_a_users_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = training()
    next(iter(one.run()))
    # The loader draws one seed for its workers; dropout and weights draw nothing.
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), expected)


def test_a_loss_that_is_not_finite_stops_before_the_weights():
    one = training()
    with torch.no_grad():
        one.model.network.score_fr.bias.fill_(float("inf"))
    before = state(one)
    with pytest.raises(DivergedError, match=r"step 1, on the samples n\d, n\d") as caught:
        list(one.run())
    after = state(one)
    assert caught.value.exit_code == 3
    assert all(
        torch.equal(before[k], after[k]) for k in before if "running" not in k and "num" not in k
    )


def test_all_void_photos_change_nothing_but_norms():
    void = halves()
    blank = replace(void, read=lambda i: replace(void[i], labels=np.full((32, 32), 255, np.uint8)))
    one = training(CONFIG.model_copy(update={"weight_decay": 0.0, "optimizer": "sgd"}), blank)
    before = dict(one.model.network.named_parameters())["backbone.conv1_1.weight"].clone()
    assert {step.loss for step in one.run()} == {0.0}
    assert torch.equal(before, one.model.network.backbone.conv1_1.weight)


def test_fewer_samples_than_a_batch():
    assert len(list(training(CONFIG.model_copy(update={"batch": 16})).run())) == 3


def test_workers_change_nothing():
    config = CONFIG.model_copy(update={"epochs": 1})
    data = fc.open_data("scenes:8@32x32", "train")
    runs = [training(config.model_copy(update={"workers": workers}), data) for workers in (0, 2)]
    for one in runs:
        list(one.run())
    assert equal(state(runs[0]), state(runs[1]))


def test_biases_and_norms_do_not_decay_and_the_backbone_has_its_own_rate():
    network = new_model(CONFIG, halves()).network
    optimizer = make_optimizer(network, CONFIG.model_copy(update={"backbone_lr": 0.1}))
    kinds = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    assert kinds[id(network.backbone.conv1_1.weight)]["weight_decay"] == CONFIG.weight_decay
    assert kinds[id(network.backbone.conv1_1.weight)]["factor"] == 0.1
    assert kinds[id(network.backbone.conv1_1.bias)]["weight_decay"] == 0
    assert kinds[id(network.backbone.bn1_1.weight)]["weight_decay"] == 0
    assert kinds[id(network.score_fr.weight)]["factor"] == 1.0
    assert id(network.upscore8.weight) not in kinds, "upsampling is fixed unless it is learned"


def test_the_schedules():
    config = fc.TrainConfig(schedule="poly")
    assert schedule(config, 0, 100) == 1 and schedule(config, 50, 100) == pytest.approx(0.5**0.9)
    cosine = config.model_copy(update={"schedule": "cosine"})
    assert schedule(cosine, 50, 100) == pytest.approx(0.5)
    assert schedule(config.model_copy(update={"schedule": "constant"}), 99, 100) == 1
    warm = config.model_copy(update={"warmup": 10})
    assert [schedule(warm, step, 100) for step in (0, 4, 9, 10)] == [0.1, 0.5, 1.0, 1.0]


def test_a_name_is_enough():
    steps = fc.train("fcn32s-vgg11", halves(), CONFIG.model_copy(update={"epochs": 1}))
    assert [step.number for step in steps] == [1, 2]


def test_other_classes_are_refused():
    model = new_model(CONFIG, halves())
    other = replace(halves(), classes=("a", "b"))
    with pytest.raises(DataError, match="the model was made for dark, bright"):
        Training(model, other, CONFIG)
    with pytest.raises(DataError, match="no samples"):
        Training(model, replace(halves(), names=()), CONFIG)


def test_a_device_that_is_not_here():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no usable GPU"):
            choose_device("cuda")


def test_a_batch_in_parts_is_the_batch():
    config = fc.TrainConfig(
        model="fcn8s-vgg11", width=1 / 16, hidden=16, batch=4, epochs=1, optimizer="sgd", lr=0.1
    )
    whole, parts = training(config), training(config.model_copy(update={"accumulate": 4}))
    for one in (whole, parts):
        one.model.network.eval()  # dropout is drawn a part
        one.model.network.train = lambda mode=True: None
        list(one.run())
    for name, value in state(whole).items():
        torch.testing.assert_close(state(parts)[name], value, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_together():
    config = CONFIG.model_copy(
        update={"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": 1e-3, "lr": 1.0}
    )
    one = training(config)
    before = [p.detach().clone() for p in one.model.network.parameters()]
    next(one.run())
    moved = [p - b for p, b in zip(one.model.network.parameters(), before, strict=True)]
    assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_a_gradient_that_is_not_finite_stops_before_the_weights():
    one = training()
    before = state(one)
    one.model.network.score_fr.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergedError, match=r"gradient.*step 1.*n\d.*--lr"):
        list(one.run())
    weights = [name for name, _ in one.model.network.named_parameters()]
    assert all(torch.equal(state(one)[name], before[name]) for name in weights)


def test_biases_may_learn_twice_as_fast_as_in_caffe():
    network = new_model(CONFIG, halves()).network
    optimizer = make_optimizer(network, CONFIG.model_copy(update={"bias_lr": 2.0}))
    factors = {id(p): g["factor"] for g in optimizer.param_groups for p in g["params"]}
    assert factors[id(network.backbone.conv1_1.bias)] == 2
    assert factors[id(network.backbone.conv1_1.weight)] == 1


def test_a_backbone_without_a_rate_keeps_its_weights():
    one = training(CONFIG.model_copy(update={"backbone_lr": 0.0}))
    before = state(one)
    list(one.run())
    same = {name: torch.equal(value, before[name]) for name, value in state(one).items()}
    assert same["backbone.conv1_1.weight"] and not same["score_fr.weight"]


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"channels_last": True}])
def test_other_ways_to_compute_come_near(changes):
    plain, other = training(), training(CONFIG.model_copy(update=changes))
    losses = [[step.loss for step in one.run()] for one in (plain, other)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert all(value.dtype != torch.bfloat16 for value in state(other).values())


def test_an_average_is_resumed_exactly(tmp_path):
    config = CONFIG.model_copy(update={"average": 0.9, "channels_last": True})
    whole, half, rest = (training(config) for _ in range(3))
    list(whole.run())
    for step in half.run():
        if step.number == 3:
            break
    half.save(tmp_path / "half.safetensors")
    rest.restore(tmp_path / "half.safetensors")
    list(rest.run())
    assert equal(state(whole), state(rest)) and equal(whole.average.values, rest.average.values)
    with whole.averaged():
        assert not equal(state(whole), state(rest))
