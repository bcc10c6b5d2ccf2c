"""Fingerprints identify models."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import fullconv as fc
from fullconv.config import Normalization
from fullconv.errors import WeightsError
from fullconv.weights.fingerprint import file_fingerprint, model_fingerprint
from photos import write_model


def test_equal_bytes_give_equal_fingerprints(tmp_path):
    path = write_model(tmp_path / "model.safetensors")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(path.read_bytes())
    assert file_fingerprint(copy) == file_fingerprint(path)
    assert file_fingerprint(write_model(tmp_path / "m.safetensors", seed=2)) != file_fingerprint(
        path
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nowhere: there is no such model file"):
        file_fingerprint(tmp_path / "nowhere")


def model_of(**settings):
    torch.manual_seed(0)
    return fc.Model(
        fc.create_model("fcn32s-vgg11", 2, width=1 / 64, hidden=4, **settings), ["a", "b"]
    )


def test_whatever_changes_predictions_changes_the_fingerprint_of_a_model():
    first = model_of()
    assert model_fingerprint(model_of()) == model_fingerprint(first)
    other = model_of(upsampling="bilinear-corners")  # which has no weights, as "bilinear"
    assert other.network.state_dict().keys() == first.network.state_dict().keys()
    assert model_fingerprint(other) != model_fingerprint(first)
    known = model_fingerprint(first)
    first.network.normalization = Normalization(mean=(1, 2, 3), std=(1, 1, 1))
    assert model_fingerprint(first) != known


def test_exported_files_have_fingerprints_of_their_own(tmp_path):
    facts, found = vars(model_of()), set()
    for number in range(2):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(bytes([number]))
        exported = {"network": nn.Module(), "exported": SimpleNamespace(path=path)}
        found.add(model_fingerprint(SimpleNamespace(**{**facts, **exported})))
    assert len(found) == 2
