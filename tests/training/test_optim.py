"""Weight decay, learning-rate multipliers and learning-rate schedules."""

import pytest

import fullconv as fc
from fullconv.training.initial_model import initial_model
from fullconv.training.optim import make_optimizer, schedule
from toy_training import CONFIG, toy_data


def test_biases_and_norms_do_not_decay_and_the_backbone_has_its_own_multiplier():
    config = CONFIG.model_copy(update={"backbone_lr_mult": 0.1, "upsampling": "transposed"})
    network = initial_model(config, toy_data()).network
    optimizer = make_optimizer(network, config)
    kinds = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    assert kinds[id(network.backbone.conv1_1.weight)]["weight_decay"] == CONFIG.weight_decay
    assert kinds[id(network.backbone.conv1_1.weight)]["factor"] == 0.1
    assert kinds[id(network.backbone.conv1_1.bias)]["weight_decay"] == 0
    assert kinds[id(network.backbone.bn1_1.weight)]["weight_decay"] == 0
    assert kinds[id(network.score_fr.weight)]["factor"] == 1.0
    assert id(network.upscore8.weight) not in kinds, "upsampling is fixed unless it is learned"


def test_learning_rate_schedules():
    config = fc.TrainConfig(schedule="poly")
    assert schedule(config, 0, 100) == 1 and schedule(config, 50, 100) == pytest.approx(0.5**0.9)
    cosine = config.model_copy(update={"schedule": "cosine"})
    assert schedule(cosine, 50, 100) == pytest.approx(0.5)
    assert schedule(config.model_copy(update={"schedule": "constant"}), 99, 100) == 1
    warm = config.model_copy(update={"warmup": 10})
    assert [schedule(warm, step, 100) for step in (0, 4, 9, 10)] == [0.1, 0.5, 1.0, 1.0]


def test_biases_may_have_twice_the_learning_rate_as_in_caffe():
    network = initial_model(CONFIG, toy_data()).network
    optimizer = make_optimizer(network, CONFIG.model_copy(update={"bias_lr_mult": 2.0}))
    factors = {id(p): g["factor"] for g in optimizer.param_groups for p in g["params"]}
    assert factors[id(network.backbone.conv1_1.bias)] == 2
    assert factors[id(network.backbone.conv1_1.weight)] == 1
