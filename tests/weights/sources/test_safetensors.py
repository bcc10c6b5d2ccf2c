"""Safetensors: the normalization in the header is read."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fullconv.errors import WeightsError
from fullconv.weights.sources import read_weights


@pytest.fixture
def read(tmp_path):
    def reading(tensors, header=None):
        save_file(tensors, tmp_path / "net.bin", header)
        return read_weights(tmp_path / "net.bin")

    return reading


TENSORS = {"conv1_1.weight": torch.randn(4, 3, 3, 3)}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(kind, read):
    tensor = torch.randn(4, 3).to(kind)
    found = read({"a.weight": tensor}).arrays["a.weight"]
    np.testing.assert_array_equal(found, tensor.float().numpy(), strict=True)


def test_our_models_declare_their_normalization(read):
    normalization = {"mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0], "order": "bgr"}
    tensors = {
        "backbone.conv1_1.weight": TENSORS["conv1_1.weight"],
        "score_fr.bias": torch.ones(2),
        "optimizer.conv1_1.weight.momentum": torch.ones(2),
    }
    found = read(tensors, {"fullconv": json.dumps({"normalization": normalization})})
    assert found.arrays.keys() == {"conv1_1.weight", "score_fr.bias"}
    assert (found.mean, found.std, found.order) == ((1, 2, 3), (4, 5, 6), "bgr")


@pytest.mark.parametrize("header", ["", "[]", "{}", '{"normalization": {"mean": 3}}', "[" * 99999])
def test_a_damaged_header_of_a_model_file(header, read):
    with pytest.raises(WeightsError, match="normalization"):
        read(TENSORS, {"fullconv": header})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, (None, None, None)),
        (
            {"mean": "[1.5, 2, 3] (RGB, 0..255 scale)", "std": "[1, 1, 1] (0..255 scale)"},
            ((1.5, 2, 3), (1, 1, 1), "rgb"),
        ),
        (
            {"mean": "[1, 2, 3] (BGR, 0..255)", "std": "[4, 5, 6] (0..255)"},
            ((3, 2, 1), (6, 5, 4), "bgr"),
        ),
        ({"input": "RGB, (x-127)/128 on 0..255"}, ((127,) * 3, (128,) * 3, "rgb")),
        ({"mean": "[0.5, 0.5, 0.5]", "std": "[1, 1, 1]"}, (None, None, None)),  # unknown scale
    ],
)
def test_normalization_from_other_keys_of_the_header(header, expected, read):
    found = read({"stem.weight": torch.ones(2)}, header)
    assert (found.mean, found.std, found.order) == expected


def test_the_imagenet_vgg(shared):
    found = read_weights(shared("weights") / "vgg16_imagenet_features_fp16.safetensors")
    names = {
        f"conv{block}_{n}"
        for block, depth in enumerate((2, 2, 3, 3, 3), 1)
        for n in range(1, depth + 1)
    }
    assert found.arrays.keys() == {f"{n}.{kind}" for n in names for kind in ("weight", "bias")}
    assert (found.mean, found.order) == ((123.68, 116.779, 103.939), "rgb")
    assert found.arrays["conv5_3.weight"].shape == (512, 512, 3, 3)


def test_timms_names_are_kept(shared):
    found = read_weights(shared("weights") / "efficientnet_lite0_imagenet_timm.safetensors")
    assert len(found.arrays) == 296 and "conv_stem.weight" in found.arrays
    assert (found.mean, found.std, found.order) == ((127,) * 3, (128,) * 3, "rgb")
