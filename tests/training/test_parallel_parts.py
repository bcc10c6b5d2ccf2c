"""Parts of a batch that are computed at the same time: gradients and statistics of the whole."""

import pytest
import torch
from torch import nn

import fullconv as fc
from fullconv.errors import ConfigError, DivergedError
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.initial_model import initial_model
from fullconv.training.parallel_parts import (
    ParallelParts,
    balanced_parts,
    count_parts,
    draws_numbers,
)
from fullconv.training.trainer import Trainer
from toy_training import CONFIG, state, toy_data

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class SmallNetwork(nn.Module):
    """A backbone, whose layers are given, and a score layer behind a batch norm that mixes."""

    channels = 3

    def __init__(self, *layers):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), *layers)
        self.context = nn.BatchNorm2d(4)
        self.score = nn.Conv2d(4, 1, 1)

    def features(self, image):
        first = self.backbone[0](image)
        return {"first": first, "last": self.backbone[1:](first)}

    def scores(self, maps, size):
        assert size == (9, 9)
        return self.score(self.context(maps["last"])) + maps["first"].mean(1, keepdim=True)

    def forward(self, image):
        return self.scores(self.features(image), image.shape[-2:])


def small_network(*layers):
    torch.manual_seed(0)
    return SmallNetwork(*layers).double()


def features(network, image):
    return network.features(image)


def overlap(score):
    """Return a loss that is no sum over images, as Dice is none."""
    return 1 - 2 * score.sigmoid().sum() / (1 + score.square().sum())


def without_dropout(config):
    """Return a trainer of a network without dropout and with frozen statistics of batch norm."""
    config = config.model_copy(update={"freeze_bn": True})
    data = toy_data()
    model = initial_model(config, data)
    for layer in model.network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return Trainer(model, data, config)


def fixed(*layers):
    """Return a network whose backbone does not mix images; what follows does."""
    network = small_network(*layers)
    network.backbone.eval()
    return network


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_gradients_are_those_of_the_whole_batch(parts):
    network = fixed(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
    images = torch.rand(6, 3, 9, 9, dtype=torch.double)
    whole = overlap(network(images))
    whole.backward()
    expected = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    parallel = ParallelParts(network, parts)
    for repeat in (1, 2):  # gradients accumulate, as those of one network do
        maps = parallel.maps(features, images)
        joined = parallel.joined(maps)
        loss = overlap(network.scores(joined, (9, 9)))
        loss.backward()
        parallel.backward(maps, joined)
        assert len(maps) == parts and loss.item() == pytest.approx(whole.item(), rel=1e-12)
        for parameter, gradient in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, repeat * gradient, rtol=1e-10, atol=1e-15)


def test_copies_follow_the_weights_statistics_and_modes_of_the_network():
    network = fixed(nn.BatchNorm2d(4))
    parallel = ParallelParts(network, 2)
    with torch.no_grad():
        network.backbone[0].weight.mul_(3)
        network.backbone[1].running_mean.fill_(0.5)
    images = torch.rand(2, 3, 9, 9, dtype=torch.double)
    joined, expected = parallel.joined(parallel.maps(features, images)), network.features(images)
    assert joined.keys() == expected.keys()
    for name, one in joined.items():
        torch.testing.assert_close(one, expected[name])


@pytest.mark.parametrize("frozen", [["backbone.0"], ["backbone"], ["backbone", "context"]])
def test_frozen_weights_get_no_gradient(frozen):
    network = fixed(nn.Conv2d(4, 4, 1))
    for path in frozen:
        network.get_submodule(path).requires_grad_(False)
    parallel = ParallelParts(network, 2)
    maps = parallel.maps(features, torch.rand(2, 3, 9, 9, dtype=torch.double))
    joined = parallel.joined(maps)
    network.scores(joined, (9, 9)).sum().backward()
    parallel.backward(maps, joined)
    assert all((p.grad is None) != p.requires_grad for p in network.parameters())


def test_a_training_in_parts_repeats_to_the_bit_and_shares_the_weights():
    config = CONFIG.model_copy(update={"batch": 4, "parallel_parts": 2, "ema": 0.9})
    one, another = without_dropout(config), without_dropout(config)
    losses = [[step.loss for step in trainer.run()] for trainer in (one, another)]
    assert losses[0] == losses[1] and len(losses[0]) > 1
    assert all(torch.equal(value, state(another)[name]) for name, value in state(one).items())


def test_a_dice_loss_sees_the_whole_batch():
    config = CONFIG.model_copy(update={"batch": 4, "loss": "cross-entropy+0.5*dice"})
    whole, parts = (
        without_dropout(config.model_copy(update={"parallel_parts": count})) for count in (1, 2)
    )
    assert [step.loss for step in parts.run()] == pytest.approx(
        [step.loss for step in whole.run()], rel=1e-4
    )


def test_a_loss_that_is_not_finite_in_one_part_does_not_reach_the_weights():
    trainer = without_dropout(CONFIG.model_copy(update={"batch": 4, "parallel_parts": 2}))
    with torch.no_grad():
        trainer.model.network.score_fr.bias.fill_(float("inf"))
    before = {name: value.clone() for name, value in trainer.model.network.named_parameters()}
    with pytest.raises(DivergedError, match="step 1, on the samples"):
        list(trainer.run())
    for name, value in trainer.model.network.named_parameters():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("batch", "changes", "expected"),
    [
        (4, {}, 2),
        (1, {}, 1),
        (3, {}, 1),
        (2, {"accumulate": 4}, 1),
        (8, {"accumulate": 8}, 1),
        (8, {"compile": True}, 1),
        (4, {"parallel_parts": 3}, 3),
        (2, {"parallel_parts": 3}, 2),
        (4, {"parallel_parts": 1}, 1),
    ],
)
def test_each_core_has_a_part_unless_the_number_is_set(batch, changes, expected):
    config, network = fc.TrainConfig(**changes), small_network()
    assert count_parts(config, network, batch, CPU, SINGLE_PROCESS) == expected


@pytest.mark.parametrize(
    ("batch", "threads", "expected"),
    [(2, 2, 2), (3, 2, 1), (5, 2, 2), (6, 2, 2), (4, 4, 4), (6, 4, 2), (4, 3, 1), (8, 16, 8)],
)
def test_parts_leave_few_cores_idle(batch, threads, expected):
    assert balanced_parts(batch, threads) == expected


def test_a_batch_is_computed_whole_if_the_backbone_mixes_its_images():
    frozen, mixing = (fc.TrainConfig(freeze_bn=freeze) for freeze in (True, False))
    network = small_network(nn.BatchNorm2d(4))
    assert count_parts(mixing, network, 8, CPU, SINGLE_PROCESS) == 1
    assert count_parts(frozen, network, 8, CPU, SINGLE_PROCESS) == 2


@pytest.mark.parametrize(
    "layers",
    [[nn.Dropout(0.5)], [nn.Conv2d(4, 4, 3), nn.Dropout2d(0.1)]],
    ids=["dropout", "dropout of channels"],
)
def test_a_network_with_dropout_is_computed_whole(layers):
    network = small_network(*layers)
    before, numbers = state_of(network), torch.get_rng_state()
    assert draws_numbers(network)
    assert count_parts(fc.TrainConfig(), network, 8, CPU, SINGLE_PROCESS) == 1
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not draws_numbers(small_network(nn.Dropout(0.0)))


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("changes", "group", "device"),
    [
        ({}, ProcessGroup(0, 2), "cpu"),
        ({"compile": True}, SINGLE_PROCESS, "cpu"),
        ({}, SINGLE_PROCESS, "cuda"),
    ],
    ids=["processes", "compiled", "GPU"],
)
@pytest.mark.parametrize("layers", [[], [nn.Dropout(0.5)]], ids=["plain", "dropout"])
def test_a_number_that_was_decided_on_a_cpu_has_no_effect_elsewhere(changes, group, device, layers):
    config = fc.TrainConfig(parallel_parts=2, **changes)
    assert count_parts(config, small_network(*layers), 8, torch.device(device), group) == 1


@pytest.mark.parametrize(
    "layers", [[nn.Dropout(0.5)], [nn.BatchNorm2d(4)]], ids=["dropout", "batch norm"]
)
def test_parts_at_the_same_time_are_refused_for_networks_that_do_not_allow_them(layers):
    config = fc.TrainConfig(parallel_parts=2)
    with pytest.raises(ConfigError, match=r"parallel_parts is 2, but .* or set it to 1"):
        count_parts(config, small_network(*layers), 8, CPU, SINGLE_PROCESS)
