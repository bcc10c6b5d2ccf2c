"""What of a network is put into the page, and that it fits."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import torch

from fullconv.errors import ConfigError
from fullconv.explain.microscope import page as pages
from fullconv.explain.microscope.arrays import Arrays
from fullconv.explain.microscope.kept import chosen, watch
from fullconv.explain.microscope.layers import can_run, geometry, normalization_of
from fullconv.explain.microscope.record import Plan, plans, record
from microscopes import batch, model, photo


def array(recording, place):
    kind = np.uint8 if place["type"] == "u1" else "<f4"
    return np.frombuffer(recording.arrays, kind, place["length"], place["array"])


def test_arrays_are_found_at_their_places():
    arrays = Arrays()
    first = arrays.levels(np.arange(5, dtype=np.uint8))
    second = arrays.floats(torch.arange(3.0))
    assert (first["array"], second["array"]) == (0, 8)
    assert np.frombuffer(arrays.content(), "<f4", 3, 8).tolist() == [0, 1, 2]


def test_a_live_recording_has_all_weights_and_the_photo():
    made, image = model(), photo()
    recording = record(made, image, Plan(90, True), "tiny")
    settings = recording.settings
    assert (array(recording, settings["photo"]["pixels"]) == image.ravel()).all()
    names = [stage["name"] for stage in settings["stages"]]
    assert names[:3] == ["conv1_1", "pool1", "conv2_1"]
    assert names[-3:] == ["score_fr", "score_pool4", "score_pool3"]
    assert [layer["kind"] for layer in settings["stages"][0]["layers"]] == ["conv", "norm", "relu"]
    first = settings["stages"][0]["layers"][0]
    expected = made.network.backbone.conv1_1.weight.detach().numpy().ravel()
    assert (array(recording, first["weight"]) == expected).all()
    inputs = {stage["name"]: stage["input"] for stage in settings["stages"]}
    assert inputs["score_fr"] == "fc7" and inputs["score_pool3"] == "pool3"
    assert settings["geometry"]["top"] == "fc7"


def test_the_photo_has_the_size_that_the_network_works_at():
    made = model()
    made.size, made.input_scale = (40, 60), 1.5
    found = record(made, photo(80, 90), Plan(320, True), "tiny").settings["photo"]
    assert (found["height"], found["width"], found["original"]) == (60, 68, [80, 90])
    found = record(made, photo(80, 90), Plan(34, True), "tiny").settings["photo"]
    assert (found["height"], found["width"]) == (30, 34)


def test_a_batch_norm_is_a_scale_and_a_shift():
    layer = model().network.backbone.bn2_1
    x = torch.randn(1, layer.num_features, 3, 4)
    scale, shift = (part[None, :, None, None].float() for part in normalization_of(layer))
    torch.testing.assert_close(x * scale + shift, layer(x))


@pytest.mark.parametrize(
    ("name", "settings", "live"),
    [
        ("fcn8s-vgg11", {}, True),
        ("fcn8s-vgg11", {"context": 8, "skip_context": 4, "skip_scales": (0.1, 0.01)}, True),
        ("fcn8s-vgg11", {"upsampling": "unpooling"}, False),
        ("fcn8s-vgg11", {"pyramid": 4}, False),
        ("fcn32s-alexnet", {}, False),  # has local response normalization
        ("fcn8s-vgg11", {"width": 1 / 4, "hidden": 64}, False),
    ],
)
def test_small_networks_of_known_layers_run_in_the_page(name, settings, live):
    assert next(plans(model(name, **settings))).live == live


def test_a_large_network_is_reduced_and_the_page_says_so():
    made = model("fcn8s-vgg11", tuple(f"class {n}" for n in range(30)), width=1 / 4, hidden=80)
    text, plan = pages.microscope_page(made, photo(), "large")
    assert not plan.live and len(text.encode()) <= pages.LIMIT
    settings = json.loads(re.search(r'id="settings">(.*?)</script>', text)[1])
    assert len(settings["classes"]) == len(settings["palette"]) == 24
    assert settings["notes"] == [["fewerClasses", 24, 30], ["fewerFeatures", 64, 80]]
    arrays = gzip.decompress(base64.b64decode(re.search(r'id="arrays">(.*?)</script>', text)[1]))
    assert settings["dense"]["rest"]["array"] + 4 < len(arrays)


def test_a_smaller_limit_reduces_more_and_then_refuses():
    made = model("fcn8s-vgg11", width=1 / 4, hidden=64)
    most = len(pages.microscope_page(made, photo(), "a")[0].encode())
    less, plan = pages.microscope_page(made, photo(), "a", most - 1)
    assert len(less.encode()) < most and plan.layers < 24
    with pytest.raises(ConfigError, match=r"the page would have 0\.\d MB .* at most 0\.1 MB"):
        pages.microscope_page(made, photo(), "a", 100_000)


def test_the_convolutions_that_are_kept_include_the_first_and_the_scores():
    made = model()
    score, seen = watch(made.network, batch(photo()))
    names = [one.name for one in chosen(seen, 6)]
    assert names[0] == "conv1_1" and len(names) == 6
    assert {"score_fr", "score_pool4", "score_pool3"} < {*names}
    assert score.shape == (4, 70, 90)


def test_a_kept_neuron_is_pytorchs():
    recording = record(model(), photo(), Plan(90, False, 6, 3), "tiny")
    for stage in recording.settings["stages"]:
        neuron = stage["neuron"]
        products = array(recording, neuron["window"]) * array(recording, neuron["weight"])
        assert neuron["value"] == pytest.approx(products.sum() + neuron["bias"], rel=1e-4)
        assert neuron["channel"] in stage["kept"] and len(stage["kept"]) <= 3


def test_pages_are_equal_for_equal_input():
    made, image = model(), photo()
    first, second = (pages.microscope_page(made, image, "a")[0] for _ in range(2))
    assert first == second


def test_a_traced_backbone_has_fields_but_no_chain():
    found = geometry(model("fcn8s-resnet18", width=1.0, hidden=None).network)
    assert found["layers"] is None and [up["factor"] for up in found["ups"]] == [2, 2, 8]
    assert not can_run(model("fcn8s-resnet18", width=1.0, hidden=None).network)
