"""Which network is trained, and from which weights, where the settings leave it open."""

import numpy as np
import pytest

import fullconv as fc
from fullconv.config import RunConfig
from fullconv.data.sample import Data, Sample
from fullconv.errors import ConfigError, WeightsError
from fullconv.training import resolve_network as module
from fullconv.training.choose_stride import choose_stride
from fullconv.training.resolve_network import (
    frozen_at_random,
    planned_download,
    resolve_network,
)
from fullconv.training.stages import stages_of
from toy_training import toy_data


def striped(width, period=32):
    """Return data with stripes of class 1, so many pixels wide."""

    def read(index):
        labels = np.zeros((96, 96), np.uint8)
        for column in range(5, 96, period):
            labels[:, column : column + width] = 1
        return Sample(np.zeros((96, 96, 3), np.uint8), labels, "a")

    return Data("stripes", None, ("ground", "stripe"), ((0, 0, 0), (1, 1, 1)), ("a",), read)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ""),
        ({"freeze_bn": True}, "freeze_bn=false"),
        ({"backbone_lr_mult": 0.0}, "backbone_lr_mult is 0"),
        ({"weights": "imagenet", "backbone_lr_mult": 0.0, "freeze_bn": True}, ""),
    ],
)
def test_random_weights_that_are_frozen_are_said(settings, said):
    found = " ".join(frozen_at_random(fc.TrainConfig(**{"weights": "none"} | settings)))
    assert (said in found) if said else not found


class Missing:
    name, origin, mean, std = "net.pth", "example.org", None, None

    def file(self):
        return None

    def megabytes(self):
        return 12.3

    def download(self):
        raise WeightsError("no route to host")


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(module, "published_weights", lambda backbone: Missing())


def resolved(data=None, **settings):
    return resolve_network(fc.TrainConfig(**settings), data or toy_data())


def test_the_default_is_lite2_from_the_weights_that_come_with_fullconv():
    config, notes = resolved()
    assert (config.model, config.weights) == ("fcn8s-efficientnet_lite2", "imagenet")
    assert (config.context, config.skip_context, config.channels_last) == (160, 48, True)
    assert (config.backbone_lr_mult, config.lr, config.freeze_bn) == (0.25, 2e-3, True)
    assert config.upsampling == "bilinear"
    assert notes[1].startswith("ImageNet weights: efficientnet-lite2-")
    assert resolve_network(config, toy_data()) == (config, (notes[1],))


@pytest.mark.parametrize(("width", "stride"), [(3, 2), (6, 4)])
def test_the_stride_follows_from_the_masks(width, stride):
    chosen, note = choose_stride(striped(width), None)
    assert chosen == stride and note.startswith(f"FCN-{stride}s: stride 8 could reach ")
    assert ("stride 2 " in note) == (stride == 2)


def test_the_stride_follows_from_the_masks_at_the_size_of_training():
    assert choose_stride(striped(91), (24, 24))[0] < 8
    assert choose_stride(striped(6), None, 4.0)[0] == 8


def test_masks_without_labels_get_the_coarsest_of_the_strides():
    assert choose_stride(striped(1).take([]), None)[0] == 8


def test_none_means_random_weights_without_a_word():
    config, notes = resolved(model="fcn8s-resnet18", weights="none")
    assert (config.weights, config.backbone_lr_mult, notes) == ("none", 1.0, ())
    assert (config.lr, config.freeze_bn) == (1e-3, False)
    assert not config.channels_last


def test_weights_that_cannot_be_had_are_said_to_be_random(missing):
    config, notes = resolved(model="fcn8s-vgg16_bn")
    assert (config.weights, config.width) == ("none", 0.25)
    assert notes == ("the network starts from random weights: no route to host",)


def test_a_width_without_published_weights_is_not_looked_up(missing):
    config, (note,) = resolved(model="fcn8s-vgg16_bn", width=0.5)
    assert config.weights == "none" and "width 0.5" in note
    assert not planned_download(fc.TrainConfig(model="fcn8s-vgg16_bn", width=0.5))


def test_imagenet_insists(missing, monkeypatch):
    with pytest.raises(WeightsError, match="no route"):
        resolved(model="fcn8s-resnet18", weights="imagenet")
    monkeypatch.setattr(module, "published_weights", lambda backbone: None)
    with pytest.raises(WeightsError, match="no ImageNet weights are published"):
        resolved(model="fcn8s-resnet18", weights="imagenet")
    assert "none are published" in resolved(model="fcn8s-resnet18")[1][0]


def test_a_download_is_named_with_its_size_before_it(missing):
    text = planned_download(fc.TrainConfig(model="fcn8s-resnet18"))
    assert text.startswith("downloading net.pth (12 MB) from example.org; --weights none ")
    assert not planned_download(fc.TrainConfig(model="fcn8s-resnet18", weights="none"))
    assert not planned_download(fc.TrainConfig())


def test_python_is_warned_of_a_download_and_of_random_weights(missing):
    with pytest.warns(UserWarning) as warned:
        list(fc.train("fcn8s-alexnet", toy_data(2), fc.TrainConfig(hidden=2, steps=1)))
    texts = [str(warning.message) for warning in warned]
    assert texts[0].startswith("downloading net.pth") and "random weights" in texts[1]
    assert {warning.filename for warning in warned} == {__file__}


def test_weights_are_not_looked_for_where_a_checkpoint_has_them(missing):
    config = fc.TrainConfig(model="fcn8s-resnet18", weights="imagenet")
    decided, notes = resolve_network(config, toy_data(2), find_weights=False)
    assert decided.weights == "imagenet" and not notes
    assert (decided.lr, decided.backbone_lr_mult, decided.freeze_bn) == (2e-3, 0.25, True)
    with pytest.raises(WeightsError, match="no route to host"):
        resolve_network(config, toy_data(2))


def test_stages_need_the_name_of_a_network(tmp_path):
    with pytest.raises(ConfigError, match="stages need the name"):
        next(stages_of(RunConfig(data="scenes:2", stages=({"stride": 32},)), tmp_path))
