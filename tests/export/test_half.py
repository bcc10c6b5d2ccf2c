"""A float16 model predicts the same labels as the original, or is not written."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fullconv.errors import ExportError
from fullconv.export.half import export_half
from fullconv.model import Model, load
from fullconv.networks.fcn import create_model


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = create_model("fcn16s-vgg11_bn", 3, width=1 / 16, hidden=8, padding="same")
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return Model(network.eval(), ("a", "b", "c"), size=(70, 90))


@pytest.fixture
def photos():
    return [np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)]


def test_only_weights_are_rounded_to_float16(model, photos, tmp_path):
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    parity = export_half(model, tmp_path / "half.safetensors", photos)
    assert 0 < parity.difference < 1e-2 and parity.label_changes < 2e-3 and len(parity.sizes) >= 3
    stored = load_file(tmp_path / "half.safetensors")
    for name, value in before.items():
        assert torch.equal(model.network.state_dict()[name], value)
        expected = value.half() if value.ndim > 1 else value
        assert stored[name].dtype == expected.dtype and torch.equal(stored[name], expected)
    again = load(tmp_path / "half.safetensors")
    assert (again.classes, again.palette, again.size) == (model.classes, model.palette, model.size)
    assert next(again.network.parameters()).dtype == torch.float32
    labels = [one.predict(photos[0]).labels for one in (model, again)]
    assert (labels[0] == labels[1]).mean() > 0.99


def test_a_weight_too_large_for_float16_is_refused(model, photos, tmp_path):
    with torch.no_grad():
        next(model.network.parameters())[0, 0, 0, 0] = 1e6
    with pytest.raises(ExportError, match="no file was written"):
        export_half(model, tmp_path / "half.safetensors", photos)
    assert list(tmp_path.iterdir()) == []


def test_changed_labels_are_refused(model, photos, tmp_path):
    *_, finest = model.network.score_layers()
    with torch.no_grad():  # two classes that differ only in the last bits of the weights
        finest.weight[1:] = finest.weight[0] * torch.tensor([1.0001, 0.9999]).view(2, 1, 1, 1)
        model.network.score_fr.weight.zero_()
    with pytest.raises(ExportError, match=r"of the labels differ.*No file was written"):
        export_half(model, tmp_path / "half.safetensors", photos)
    assert list(tmp_path.iterdir()) == []
