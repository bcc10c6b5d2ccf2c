"""EfficientNet-PyTorch's names become timm's: in the order in which the layers run."""

import pytest
import timm

from fullconv.weights.sources._efficientnet import timm_names

EXPANDED = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
EXPANDED |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
PLAIN = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
SE = {"se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
OUTSIDE = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
OUTSIDE |= {"classifier": "_fc"}


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2", "efficientnet_b0"])
def test_the_names_are_timms(name):
    theirs = timm.create_model(name).state_dict()
    numbers = {}  # (stage, block) -> number of the block
    renamed = {}
    for key in theirs:
        layer, _, kind = key.rpartition(".")
        if layer in OUTSIDE:
            renamed[f"{OUTSIDE[layer]}.{kind}"] = key
            continue
        _, stage, block, layer = layer.split(".", 3)
        number = numbers.setdefault((stage, block), len(numbers))
        layers = SE | (PLAIN if stage == "0" else EXPANDED)
        renamed[f"_blocks.{number}.{layers[layer]}.{kind}"] = key
    shapes = {new: tuple(theirs[key].shape) for new, key in renamed.items()}
    assert timm_names(shapes) == renamed


def test_other_networks_keep_their_names():
    assert timm_names({"conv_stem.weight": (32, 3, 3, 3)}) == {}
