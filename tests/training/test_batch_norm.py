"""Frozen statistics of batch norm: predictions and training normalize alike."""

import pytest
import torch
from torch import nn

from fullconv.training.batch_norm import mixes_images, set_training_mode
from toy_training import CONFIG, equal, make_trainer, state


class Network(nn.Module):
    def __init__(self, *, tracked=True):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=tracked)
        )
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, image):
        return self.head(self.backbone(image))


def test_a_frozen_network_scores_an_image_alike_in_any_batch():
    torch.manual_seed(0)
    network, images = Network(), torch.rand(3, 3, 8, 8)
    expected = network.eval()(images)
    set_training_mode(network, frozen=True)
    assert network.training and network.head.training
    torch.testing.assert_close(network(images), expected)
    set_training_mode(network, frozen=False)
    assert not torch.allclose(network(images), expected)


@pytest.mark.parametrize("frozen", [True, False])
def test_statistics_change_in_training_unless_they_are_frozen(frozen):
    trainer = make_trainer(CONFIG.model_copy(update={"freeze_bn": frozen}))
    before = state(trainer)
    list(trainer.run())
    after = state(trainer)
    statistics = {name for name in before if "running_" in name}
    assert statistics
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert statistics & changed == (set() if frozen else statistics)
    norms = [n for n, m in trainer.model.network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(f"{name}.weight" in changed and f"{name}.bias" in changed for name in norms)


def test_norms_of_the_backbone_without_statistics_mix_the_images():
    assert not mixes_images(Network(), frozen=True)
    assert mixes_images(Network(), frozen=False)
    assert mixes_images(Network(tracked=False), frozen=True)
    network = Network()
    network.head = nn.Sequential(network.head, nn.BatchNorm2d(2))
    assert not mixes_images(network, frozen=True)  # what follows the backbone sees the whole batch
    set_training_mode(network, frozen=True)
    assert network.head[1].training and not network.backbone[1].training


def test_pretrained_networks_are_frozen_by_default():
    given = {name: CONFIG.model_copy(update={"weights": name}) for name in ("imagenet", "none")}
    assert given["imagenet"].freezes_bn and not given["none"].freezes_bn
    assert not given["imagenet"].model_copy(update={"freeze_bn": False}).freezes_bn


def test_a_frozen_training_repeats_to_the_bit():
    config = CONFIG.model_copy(update={"freeze_bn": True})
    one, another = make_trainer(config), make_trainer(config)
    assert [s.loss for s in one.run()] == [s.loss for s in another.run()]
    assert equal(state(one), state(another))
