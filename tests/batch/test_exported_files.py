"""Many photos are predicted with an exported file as with the model that it was made of."""

import numpy as np
import pytest
from PIL import Image

import export_models
import fullconv as fc
from fullconv.export.export import export
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.io.images import read_mask

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("variable", ["torch", "auto"])
def test_many_photos_are_predicted_with_the_files_runtime(tmp_path, monkeypatch, variable):
    monkeypatch.setenv("FULLCONV_ENGINE", variable)
    model = export_models.model("fcn32s-vgg11")
    photos = export_models.photos(*[(40 + 7 * i, 60 - 5 * i) for i in range(MIN_IMAGES + 1)])
    export(model, tmp_path / "net.onnx", photos[:1])
    (tmp_path / "photos").mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / "photos" / f"{number}.png")
    out = tmp_path / "out"
    records = list(
        fc.batch.predict_many(tmp_path / "net.onnx", tmp_path / "photos", out, save=["labels"])
    )
    assert len(records) == len(photos)
    for number, photo in enumerate(photos):
        found = read_mask(out / "labels" / f"{number}.png")
        assert np.mean(found == model.predict(photo).labels) > 0.9999
