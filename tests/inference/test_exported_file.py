"""A file that does not compute what its description says gives an error, never wrong labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

import export_models
from fullconv.config import Normalization
from fullconv.errors import EngineError, WeightsError
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.runtimes.description import Description
from fullconv.model import exported_model

FOUND = Description.checked(
    fullconv="1",
    classes=export_models.CLASSES,
    palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    protocol="",
    normalization=Normalization(mean=(0, 0, 0), std=(1, 1, 1)),
)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda x: np.repeat(x, 2, 1), r"scores of the shape \(1, 6, 40, 50\).*\(1, 3, 40, 50\)"),
        (lambda x: x[:, :2], r"scores of the shape \(1, 2, 40, 50\)"),
        (lambda x: x[..., ::8, ::8], r"scores of the shape \(1, 3, 5, 7\)"),
        (lambda x: x[0], r"scores of the shape \(3, 40, 50\)"),
    ],
)
def test_other_scores_than_the_description_says_are_refused(run, message):
    model = exported_model(ExportedFile(Path("net.onnx"), run, FOUND))
    with pytest.raises(WeightsError, match=message):
        model.predict(export_models.photos((40, 50))[0])
    with pytest.raises(WeightsError, match=message):
        model.network(torch.rand(1, 3, 40, 50))


def test_an_error_of_the_runtime_is_explained_in_one_line():
    def refuse(images):
        raise RuntimeError("Got invalid dimensions\nand more")

    model = exported_model(ExportedFile(Path("net.onnx"), refuse, FOUND))
    message = r"net\.onnx cannot compute an image of 40 x 50 pixels: Got invalid dimensions$"
    with pytest.raises(EngineError, match=message):
        model.predict(export_models.photos((40, 50))[0])


def test_scores_of_the_description_are_returned():
    file = ExportedFile(Path("net.onnx"), lambda images: images, FOUND)
    images = export_models.batch(2, 40, 50)
    assert np.array_equal(file.run(images), images)
    assert np.array_equal(exported_model(file).network(torch.from_numpy(images)).numpy(), images)
