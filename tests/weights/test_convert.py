"""Weights of other frameworks are converted to models that compute the same, or to weights."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import parity
from fullconv.cli import run
from fullconv.config import Normalization
from fullconv.errors import ConfigError, WeightsError
from fullconv.model import load
from fullconv.weights.convert import convert_weights, infer_architecture
from fullconv.weights.sources import read_weights

FILES = {
    "tiny_fcn8s.caffemodel": ("fcn8s-vgg16", "import_tiny_fcn8s__caffe.npz"),
    "tiny_fcn8s_bn.pdparams": ("fcn8s-vgg16_bn", "import_tiny_fcn8s_bn__paddle.npz"),
    "tiny_fcn8s_torchfcn.pth": ("fcn8s-vgg16", "import_tiny_fcn8s_torchfcn__torch.npz"),
}


@pytest.mark.parametrize("file", FILES)
@torch.no_grad()
def test_a_converted_model_computes_the_same_as_the_original(file, shared, tmp_path):
    folder = shared("parity")
    name, case = FILES[file]
    _, arrays = parity.case(folder, case)
    convert_weights(folder / "importers" / file, tmp_path / "ours.safetensors")
    model = load(tmp_path / "ours.safetensors")
    assert model.network.architecture.name == name
    assert model.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
    raw = {"mean": (0, 0, 0), "std": (1, 1, 1), "order": "rgb"}  # as the cases are
    model.network.normalization = model.network.normalization.model_copy(update=raw)
    score = model.network(torch.from_numpy(arrays["input"]))
    assert parity.worst(score, arrays["output"]) <= parity.TOLERANCE


@pytest.mark.parametrize(
    ("model", "expected"), [("fcn32s", "fcn32s-vgg16"), ("fcn16s-bn", "fcn16s-vgg16_bn")]
)
def test_the_architecture_is_inferred_from_the_names(model, expected, shared):
    arrays = parity.recipe(shared("parity")).weights(model, 3, 16, 32)
    found = infer_architecture(arrays, padding=100)
    assert (found.name, found.classes) == (expected, 3)
    assert (found.width, found.hidden, found.padding) == (1 / 16, 128, 100)


def test_without_score_layers_no_architecture_is_inferred(shared):
    arrays = parity.recipe(shared("parity")).weights("vgg16", 3, 16, 32)
    assert infer_architecture(arrays, padding=100) is None


def test_of_filters_of_other_shapes_no_architecture_is_inferred(shared):
    arrays = parity.recipe(shared("parity")).weights("fcn8s", 3, 16, 32)
    arrays["conv1_1.weight"] = arrays["conv1_1.weight"].ravel()
    assert infer_architecture(arrays, padding=100) is None


def test_an_incomplete_network_is_refused(shared, tmp_path):
    arrays = parity.recipe(shared("parity")).weights("fcn8s", 3, 16, 32)
    del arrays["fc7.weight"]
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, tmp_path / "a")
    with pytest.raises(
        WeightsError, match=r"not exactly a fcn8s-vgg16: missing fc7\.weight, unknown nothing"
    ):
        convert_weights(tmp_path / "a", tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()


def test_plain_weights_keep_their_normalization(tmp_path):
    kernel = torch.randn(4, 3, 3, 3)
    metadata = {"mean": "[1, 2, 3] (BGR, 0..255)", "std": "[4, 5, 6] (0..255)"}
    save_file({"features.0.weight": kernel}, tmp_path / "a.safetensors", metadata)
    convert_weights(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    found = read_weights(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(found.arrays["features.0.weight"], kernel)
    assert (found.mean, found.std, found.order) == ((3, 2, 1), (6, 5, 4), "bgr")


def test_plain_weights_get_the_given_normalization_and_no_classes(tmp_path):
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"features.0.weight": torch.randn(4, 3, 3, 3)}, source)
    given = Normalization(mean=(3, 2, 1), std=(1, 1, 1), order="bgr")
    convert_weights(source, target, normalization=given)
    found = read_weights(target)
    assert (found.mean, found.std, found.order) == ((3, 2, 1), (1, 1, 1), "bgr")
    target.unlink()
    with pytest.raises(ConfigError, match="plain weights, which have no class names"):
        convert_weights(source, target, ["road", "sky"])
    with pytest.raises(ConfigError, match="plain weights, which have no padding"):
        convert_weights(source, target, padding=0)
    assert not target.exists()


def test_weights_in_channels_last_layout_are_written(tmp_path):
    weight = torch.randn(4, 3, 2, 2, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    torch.save({"stem.weight": weight}, tmp_path / "a.pth")
    convert_weights(tmp_path / "a.pth", tmp_path / "b.safetensors")
    found = read_weights(tmp_path / "b.safetensors").arrays["stem.weight"]
    np.testing.assert_array_equal(found, weight.float())


def test_a_wrong_number_of_class_names_is_refused(shared, tmp_path):
    file = shared("parity") / "importers" / "tiny_fcn8s.caffemodel"
    with pytest.raises(ConfigError, match=r"2 class names .* 5 scores"):
        convert_weights(file, tmp_path / "b.safetensors", ["road", "sky"])


def test_the_command_writes_a_model_with_the_given_classes(shared, tmp_path, capsys):
    file = shared("parity") / "importers" / "tiny_fcn8s.caffemodel"
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    out = tmp_path / "new" / "net.safetensors"
    assert run(["convert", str(file), str(out), "--classes", str(tmp_path / "classes.txt")]) == 0
    assert "39 loaded" in capsys.readouterr().out
    with safe_open(out, "pt") as written:
        assert json.loads(written.metadata()["fullconv"])["classes"] == list("abcde")


@pytest.mark.parametrize("arguments", [["absent", "b.safetensors"], ["absent", "b.pth"]])
def test_mistakes_are_reported_in_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["convert", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())
