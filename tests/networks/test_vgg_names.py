"""Names for the numbered layers of torchvision's and timm's VGG."""

import numpy as np
import pytest
import torch
import torchvision

from fullconv.networks.vgg_names import DEPTHS, conv_names, depths_of, paper_names, recognize

VGGS = {"vgg11": 0, "vgg13": 1, "vgg16": 2, "vgg19": 3}
# From the reference material's table; the other nets follow the same rule.
NUMBERS = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg16_bn": (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40),
}


def shapes(build, **options):
    with torch.device("meta"):
        return {name: tuple(t.shape) for name, t in build(**options).state_dict().items()}


@pytest.mark.parametrize("norm", ["", "_bn"])
@pytest.mark.parametrize("name", VGGS)
def test_every_vgg_of_torchvision_gets_the_papers_names(name, norm):
    held = shapes(getattr(torchvision.models, name + norm))
    names = paper_names(held)
    assert names.keys() == held.keys()
    kernels = [names[key] for key in held if len(held[key]) == 4]
    assert kernels == [f"{conv}.weight" for conv in conv_names(DEPTHS[VGGS[name]])]
    if norm:
        assert sum(new.startswith("bn") for new in names.values()) == 5 * len(kernels)
    heads = [names[f"classifier.{number}.bias"] for number in (0, 3, 6)]
    assert heads == ["fc6.bias", "fc7.bias", "fc8.bias"]


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_the_table(name):
    names = paper_names(shapes(getattr(torchvision.models, name)))
    found = [names[f"features.{number}.weight"] for number in NUMBERS[name]]
    assert found == [f"{conv}.weight" for conv in conv_names(DEPTHS[2])]


@pytest.mark.parametrize("name", ["vgg13", "vgg16_bn"])
def test_timms_vgg_has_another_head(name):
    timm = pytest.importorskip("timm")
    held = shapes(timm.create_model, model_name=name)
    names = paper_names(held)
    assert names.keys() == held.keys()
    assert names["pre_logits.fc1.weight"] == "fc6.weight" and names["head.fc.bias"] == "fc8.bias"


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "mobilenet_v2", "squeezenet1_0"])
def test_other_networks_are_not_renamed(name):
    assert paper_names(shapes(getattr(torchvision.models, name))) == {}


def test_renumbered_layers():
    held = {f"features.{n}.weight": (4, 4, 3, 3) for n in range(13)}
    assert list(paper_names(held).values()) == [f"{name}.weight" for name in conv_names(DEPTHS[2])]


def test_blocks_by_the_number_of_convolutions():
    assert [depths_of(count) for count in (8, 10, 13, 16)] == list(DEPTHS)
    assert depths_of(12) is None


@pytest.mark.parametrize("shape", [(), (4,), (8, 2)])
def test_biases_of_other_shapes_are_not_recognized(shape):
    weight, bias = np.zeros((8, 3, 3, 3), np.float32), np.zeros(shape, np.float32)
    assert recognize({"conv1_1.weight": weight, "conv1_1.bias": bias}) is None
