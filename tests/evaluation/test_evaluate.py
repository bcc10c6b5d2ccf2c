"""Numbers at the labels' own size; the PNGs that predict wrote give exactly evaluate's numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.errors import DataError
from fullconv.evaluation.evaluate import score_files, summarise
from fullconv.io.images import write_labels


def model_for(data, size=None):
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg11_bn", len(data.classes), width=1 / 16, hidden=8)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return fc.Model(network, data.classes, data.palette, size)


@pytest.fixture(scope="module")
def data():
    return fc.open_data("scenes:15@40x56", "val")


@pytest.mark.parametrize("size", [None, (24, 24)])
def test_written_answers_give_the_same_numbers(data, tmp_path, size):
    model = model_for(data, size)
    for sample in data:
        model.predict(sample.image).save(tmp_path / f"{sample.name}.png")
    own = fc.evaluate(model, data)
    theirs = summarise(score_files(tmp_path, data), data, "")
    assert (own.confusion.counts == theirs.confusion.counts).all()
    assert own.images == theirs.images and len(own.images) == 3


def test_evaluation_with_tta_counts_averaged_predictions(data):
    model = model_for(data)
    with torch.no_grad():  # center the scores: without this, one class has the largest everywhere
        model.network.score_fr.bias -= model.predict(data[0].image).score.mean((1, 2))
    predictions = [model.predict(sample.image, scales=(0.5, 1.0)).labels for sample in data]
    expected = np.bincount(np.ravel(predictions), minlength=len(data.classes))
    result = fc.evaluate(model, data, scales=(0.5, 1.0))
    plain = fc.evaluate(model, data)
    assert (result.confusion.counts.sum(0)[: len(data.classes)] == expected).all()
    assert (result.confusion.counts != plain.confusion.counts).any()
    assert result.protocol == plain.protocol + "; averaged over scales 0.5, 1 and flips"
    assert "0.75, 1, 1.25 and flips" in fc.evaluate(model, data, tta=True).protocol


def test_labels_are_never_resized(data):
    own = fc.evaluate(model_for(data, (24, 24)), data)
    assert own.confusion.pixels.sum() == 3 * 40 * 56


def test_a_perfect_answer(data, tmp_path):
    for sample in data:
        write_labels(tmp_path / f"{sample.name}.png", sample.labels, data.palette)
    perfect = summarise(score_files(tmp_path, data), data, "")
    assert perfect.mean_iu == perfect.pixel_accuracy == perfect.frequency_weighted_iu == 1


def test_a_missing_answer_is_named(data, tmp_path):
    with pytest.raises(DataError, match=rf"no answer for 3 of 3 samples, such as {data.names[0]}"):
        list(score_files(tmp_path, data))


def test_an_answer_of_another_size_is_named(data, tmp_path):
    for name in data.names:
        write_labels(tmp_path / f"{name}.png", np.zeros((5, 5), np.uint8), data.palette)
    with pytest.raises(DataError, match=r"compared at the labels' own size"):
        list(score_files(tmp_path, data))


def test_other_classes_are_refused(data):
    with pytest.raises(DataError, match="the model answers"):
        fc.evaluate(model_for(data), replace(data, classes=tuple("abcdefg")))
    with pytest.raises(DataError, match="no samples"):
        fc.evaluate(model_for(data), replace(data, names=()))
