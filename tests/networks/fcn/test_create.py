"""Networks by name: strides, skips, near names, and invalid settings."""

import numpy as np
import pytest

from fullconv.config import Architecture
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.fcn import create_model, parse_name

TINY = {"width": 1 / 32, "hidden": 8}


@pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
def test_a_name_gives_stride_and_backbone_and_each_halving_is_a_skip(stride):
    assert parse_name(f"fcn{stride}s-vgg16_bn") == (stride, "vgg16_bn")
    network = create_model(f"fcn{stride}s-vgg11", 3, **TINY)
    skips = ("pool4", "pool3", "pool2", "pool1")
    assert network.skips == skips[: [32, 16, 8, 4, 2].index(stride)]
    assert network.architecture.name == f"fcn{stride}s-vgg11"


def test_skip_scales_are_ordered_from_coarse_to_fine():
    network = create_model("fcn8s-vgg11", 3, skip_scales=(0.01, 0.0001), **TINY)
    assert network.skip_scales == {"pool4": 0.01, "pool3": 0.0001}


def test_the_network_has_the_given_normalization():
    network = create_model("fcn32s-vgg11", 3, mean=(1, 2, 3), std=(4, 5, 6), order="bgr", **TINY)
    found = network.normalization
    assert (found.mean, found.std, found.order) == ((1, 2, 3), (4, 5, 6), "bgr")


PATTERN = r"expected fcn\{32,16,8,4,2\}s-BACKBONE, e\.g\. fcn8s-resnet18"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("fcn8-vgg16", "fcn8s-vgg16"),
        ("vgg16", "fcn8s-vgg16"),
        ("fcn7s-vgg16", "fcn8s-vgg16"),
        ("fcn16s_resnet50", "fcn16s-resnet50"),
        ("FCN32s-vgg19_bnn", "fcn32s-vgg19_bn"),
    ],
)
def test_names_of_another_form_are_refused_with_the_pattern_and_a_near_name(name, suggestion):
    with pytest.raises(UnknownNameError, match=f"{PATTERN}; did you mean {suggestion}\\?"):
        parse_name(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("fcn8s-resent50", "fcn8s-resnet50"),
        ("fcn4s-tf_eficientnet_lite0", "fcn4s-tf_efficientnet_lite0"),
    ],
)
def test_an_unknown_backbone_is_refused_with_a_near_network(name, suggestion):
    with pytest.raises(UnknownNameError, match=f"network '{name}'; .*mean {suggestion}\\?"):
        create_model(name, 2)


def test_a_name_without_a_near_one_has_no_suggestion():
    with pytest.raises(UnknownNameError, match=f"unknown network 'fcn8s-'; {PATTERN}$"):
        parse_name("fcn8s-")


WRONG = {
    "classes": {"classes": 0},
    "width": {"width": 0.0},
    "padding": {"padding": 0},
    "skip_scales has 1 factors": {"skip_scales": (0.1,)},
    "learn_upsampling": {"upsampling": "bilinear", "learn_upsampling": True},
    'fusing "sum" has no effect': {"upsampling": "unpooling", "fusing": "sum"},
}


@pytest.mark.parametrize("reason", WRONG)
def test_invalid_settings_are_refused(reason):
    with pytest.raises(ConfigError, match=reason):
        create_model("fcn8s-vgg11", **{"classes": 3, **TINY, **WRONG[reason]})


def test_an_unknown_upsampling_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"upsampling is 'nearest'.*'bilinear-corners'"):
        Architecture.checked(name="fcn8s-vgg11", classes=3, upsampling="nearest")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": 5}, "mean is 5: expected a list"),
        ({"skip_scales": 0.1}, "skip_scales is 0.1: expected a list"),
        ({"streams": 3}, "streams is 3: expected a list"),
        ({"padding": "SAME"}, "padding is 'SAME': expected 'same' or a whole number$"),
        ({"classes": ["a", "b"]}, r"classes is \['a', 'b'\]: expected a whole number"),
        ({"name": None}, "name is None: expected a text"),
        ({"std": (0.229, 0.224, 0.225)}, r"as for images in \[0, 1\]; .*multiply both by 255"),
    ],
)
def test_what_is_no_setting_is_refused_in_a_sentence(given, message):
    arguments = {"name": "fcn32s-vgg11", "classes": 3, **TINY} | given
    with pytest.raises(ConfigError, match=message):
        create_model(**arguments)


def test_mean_and_std_may_be_arrays():
    mean, std = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0], np.float32)
    network = create_model("fcn32s-vgg11", 3, mean=mean, std=std, **TINY)
    assert network.normalization.mean == (1, 2, 3) and network.normalization.std == (4, 5, 6)
