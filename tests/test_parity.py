"""Every network case of the reference material is reproduced (paddle, pytorch-fcn, Caffe)."""

import re

import pytest
import torch

import parity
from conftest import SHARED
from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convolutionalize import convolutionalize
from fullconv.networks.fcn import create_model
from fullconv.networks.transplant import transplant

CASES = sorted(path.name for path in (SHARED / "parity" / "cases").glob("*.npz"))
NETWORKS = [name for name in CASES if re.match(r"(fcn|import_)", name)] or ["absent"]
CLASSIFIERS = [name for name in CASES if name.startswith("vgg")] or ["absent"]
RAW = {"mean": (0, 0, 0), "std": (1, 1, 1)}


def network_of(meta):
    match = re.fullmatch(r"(fcn\d+s)(-atonce)?(-bn)?", meta["model"])
    scales = (0.01, 0.0001) if match[2] else None
    name = f"{match[1]}-vgg16" + ("_bn" if match[3] else "")
    hidden = 4096 // meta.get("fc_width", meta["width"])
    options = {"padding": 100, "width": 1 / meta["width"], "hidden": hidden, "skip_scales": scales}
    return create_model(name, meta["num_classes"], **options, **RAW).eval()


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_network_cases(name, shared):
    folder = shared("parity")
    meta, arrays = parity.case(folder, name)
    network = network_of(meta)
    done = transplant(network, parity.weights(folder, meta))
    assert not done.missing and not done.left_over and not done.reshaped
    score = network(torch.from_numpy(arrays["input"]))
    assert parity.worst(score, arrays["output"]) <= parity.TOLERANCE
    if "output_fluid" in arrays:  # the course's dropout halves fc6 and fc7 at test time
        network.backbone.fc7.weight.data /= 2
        network.score_fr.weight.data /= 2
        score = network(torch.from_numpy(arrays["input"]))
        assert parity.worst(score, arrays["output_fluid"]) <= parity.TOLERANCE


@torch.no_grad()
def test_intermediate_features_too(shared):
    folder = shared("parity")
    meta, arrays = parity.case(folder, "fcn8s-bn__paddle__w8_c7__1x3x33x47.npz")
    network = network_of(meta)
    transplant(network, parity.weights(folder, meta))
    names = {"pool3": "pool3", "pool4": "pool4", "pool5": "pool5", "fc6": "relu6", "fc7": "drop7"}
    found = network.backbone.features(torch.from_numpy(arrays["input"]), names.values())
    for theirs, ours in names.items():
        assert parity.worst(found[ours], arrays[f"tap_{theirs}"]) <= parity.TOLERANCE


@pytest.mark.parametrize("name", CLASSIFIERS)
@torch.no_grad()
def test_classifier_cases(name, shared):
    folder = shared("parity")
    meta, arrays = parity.case(folder, name)
    backbone = "vgg16_bn" if meta["model"].endswith("bn") else "vgg16"
    # torchvision's poolings drop a half-filled window, Caffe's do not.
    classifier = create_classifier(backbone, 10, width=1 / 8, ceil_mode=False).eval()
    done = transplant(classifier, parity.weights(folder, meta))
    assert not done.missing and not done.left_over
    dense = convolutionalize(classifier)

    def image(shape):
        return torch.from_numpy(parity.recipe(folder).make_input(shape, meta["input_seed"]))

    small = image(meta["input_shape"])
    assert parity.worst(classifier(small), arrays["classifier"]) <= parity.TOLERANCE
    assert parity.worst(dense(small), arrays["conv"]) <= parity.TOLERANCE
    for kind in ("dense", "dense_odd"):
        score = dense(image(meta[f"{kind}_input_shape"]))
        assert parity.worst(score, arrays[kind]) <= parity.TOLERANCE
