"""The authors' nets of several inputs give the scores that OpenCV's DNN module gives for them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import caffe_writer
import fullconv as fc
import parity
from fullconv.config import Normalization
from fullconv.errors import ConfigError
from fullconv.weights.convert import convert_weights
from weights.authors_nets import recipe

CASES = Path(recipe.__file__).parent
# What no Caffe model says: the means of the nets whose layers have the names of the VOC nets.
MEANS = {
    "nyud-fcn32s-hha": Normalization(mean=recipe.HHA, std=(1, 1, 1)),
}


def converted(net, tmp_path, normalization=None):
    layers = recipe.layers(net)
    kinds = {name: "Deconvolution" if "upscore" in name else "Convolution" for name in layers}
    encoded = [caffe_writer.layer(name, kinds[name], blobs) for name, blobs in layers.items()]
    source, target = tmp_path / f"{net}.caffemodel", tmp_path / "model.safetensors"
    source.write_bytes(caffe_writer.net(*encoded))
    convert_weights(source, target, normalization=normalization or MEANS.get(net))
    return fc.load(target)


@pytest.mark.parametrize("net", recipe.NYUD)
@torch.no_grad()
def test_scores_are_those_of_opencv(net, tmp_path):
    model = converted(net, tmp_path)
    score = model.network(torch.from_numpy(recipe.our_image(net)))
    with np.load(CASES / f"{net}.npz") as case:
        assert parity.worst(score, case["score"]) <= parity.TOLERANCE


@pytest.mark.parametrize("net", recipe.SIFTFLOW)
@torch.no_grad()
def test_both_heads_are_those_of_opencv(net, tmp_path):
    model = converted(net, tmp_path)
    assert [(head.name, len(head.classes)) for head in model.heads] == [
        ("semantic", 5),
        ("geometric", 3),
    ]
    image = torch.from_numpy(recipe.our_image(net))
    scores = model.network(image).split([5, 3], 1)
    prediction = model.predict(image[0].permute(1, 2, 0).to(torch.uint8).numpy())
    with np.load(CASES / f"{net}.npz") as case:
        for head, short, score in zip(model.heads, ("sem", "geo"), scores, strict=True):
            expected = case[f"score_{short}"]
            assert parity.worst(score, expected) <= parity.TOLERANCE
            alone = model.head(head.name)
            assert parity.worst(alone.network(image), expected) <= parity.TOLERANCE
            labels = prediction.heads[head.name].labels
            assert (labels == expected[0].argmax(0)).mean() > 0.999


def test_depth_is_read_from_its_folder(tmp_path):
    model = converted("nyud-fcn32s-color-d", tmp_path)
    assert [str(extra) for extra in model.inputs] == ["depth:log:500:10000"]
    image = recipe.our_image("nyud-fcn32s-color-d")[0]
    for name, values in (("images", image[:3].transpose(1, 2, 0)), ("depth", image[3])):
        (tmp_path / name).mkdir()
        if name == "depth":  # back to millimetres
            values = np.round(500 * np.exp(values / 255 * np.log(20))).astype(np.uint16)
        Image.fromarray(values.astype(np.uint8 if name == "images" else np.uint16)).save(
            tmp_path / name / "img_1.png"
        )
    score = model.predict(tmp_path / "images" / "img_1.png").score
    with np.load(CASES / "nyud-fcn32s-color-d.npz") as case:  # 8 bits of depth
        assert np.abs(score.numpy() - case["score"][0]).max() < 0.01 * np.abs(case["score"]).max()


@torch.no_grad()
def test_streams_start_from_one_backbone(tmp_path):
    plain = fc.create_model("fcn32s-vgg11", 3, width=1 / 16, hidden=4, padding=100)
    fc.Model(plain, ["a", "b", "c"]).save(tmp_path / "plain.safetensors")
    network = fc.create_model("fcn32s-vgg11", 3, width=1 / 16, hidden=4, streams=(3, 4))
    report = fc.load_weights(network, tmp_path / "plain.safetensors")
    for stream in network.backbone.streams:
        assert torch.equal(stream.conv2_1.weight, plain.backbone.conv2_1.weight)
    first = plain.backbone.conv1_1.weight
    second = network.backbone.streams[1].conv1_1.weight
    assert torch.equal(second[:, :3], first)
    assert torch.allclose(second[:, 3], first.mean(1))
    assert not report.warnings
    assert network.normalization.mean[:3] == plain.normalization.mean


def test_a_mean_of_other_channels_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"a mean of 3 channels for .*, which takes 4"):
        converted("nyud-fcn32s-color-d", tmp_path, MEANS["nyud-fcn32s-hha"])
