"""The engine that is asked for is checked, however few images there are."""

import pytest

import export_models
import fullconv as fc
from fullconv.cli._evaluate_options import prepare_model
from fullconv.errors import UnknownNameError


def test_few_images_heed_the_variable(doubles, monkeypatch):
    model, data = export_models.model(), fc.open_data("scenes:2@24x32")
    monkeypatch.setenv("FULLCONV_ENGINE", "nonsense")
    with pytest.raises(UnknownNameError, match="nonsense"):
        prepare_model(model, data, "auto", None, lambda text: None)
    monkeypatch.setenv("FULLCONV_ENGINE", "onnx")
    prepare_model(model, data, "auto", None, lambda text: None)
    assert model.choice.name == "onnx"
    monkeypatch.setenv("FULLCONV_ENGINE", "auto")
    prepare_model(model, data, "torch", None, lambda text: None)
