"""Derived coordinate maps and receptive fields equal those measured by the gradient."""

import pytest

from fullconv.explain.receptive_field import measure_field
from fullconv.networks.fcn import create_model

NARROW = {"width": 1 / 32, "hidden": 4}
# Chain, residual, unpadded, branched, asymmetric paddings, average pooling, 7 x 7 windows.
CASES = {
    "vgg11": NARROW,
    "alexnet": NARROW,
    "resnet18": {},
    "squeezenet1_1": {},
    "googlenet": {},
    "shufflenet_v2_x0_5": {},
    "mobilenet_v2": {},
    "densenet121": {},
    "tf_efficientnet_lite0": {},
    "hgnetv2_b0": {},
    "resnet50d": {},
    "convnext_atto": {},
}


HEAVY = ("densenet121", "resnet50d", "googlenet", "convnext_atto")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in HEAVY else []) for n in CASES]
)
def test_the_derived_field_equals_the_measured_one(name):
    network = create_model(f"fcn8s-{name}", 2, **CASES[name])
    features = network.backbone.feature_info()
    for feature in (network.top, *network.skips):
        assert features[feature].field.bounded
        field = features[feature].field
        assert measure_field(network.backbone, feature) == (field, field), feature


def test_padding_shifts_the_coordinate_map_only():
    plain, padded = (
        create_model("fcn16s-resnet18", 2, padding=padding).backbone for padding in ("same", 21)
    )
    for feature, tap in plain.feature_info().items():
        moved = padded.feature_info()[feature].field
        assert (moved.size, moved.map.shift) == (tap.field.size, tap.field.map.shift - 21)
    assert measure_field(padded, "layer3") == (padded.feature_info()["layer3"].field,) * 2


def test_squeeze_excite_has_no_bounded_field():
    features = create_model("fcn8s-efficientnet_b0", 2).backbone.feature_info()
    bounded = [tap.field.bounded for tap in features.values()]
    assert bounded[0] and not any(bounded[1:])
