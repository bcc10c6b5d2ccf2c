"""Metrics at the labels' own size; evaluating written PNGs gives exactly the same metrics."""

import inspect
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.errors import ConfigError, DataError
from fullconv.evaluation.evaluate import summarize
from fullconv.evaluation.scored_samples import score_prediction_files, score_samples
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
def test_prediction_files_give_the_same_metrics(data, tmp_path, size):
    model = model_for(data, size)
    for sample in data:
        model.predict(sample.image).save(tmp_path / f"{sample.name}.png")
    direct = fc.evaluate(model, data)
    from_files = summarize(score_prediction_files(tmp_path, data), data, "")
    assert (direct.confusion.counts == from_files.confusion.counts).all()
    assert direct.image_iou == from_files.image_iou and len(direct.image_iou) == 3


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
    assert "1, 1.5 and flips" in fc.evaluate(model, data, tta=True).protocol


def test_labels_are_never_resized(data):
    evaluation = fc.evaluate(model_for(data, (24, 24)), data)
    assert evaluation.pixels.sum() == 3 * 40 * 56


def test_perfect_predictions(data, tmp_path):
    for sample in data:
        write_labels(tmp_path / f"{sample.name}.png", sample.labels, data.palette)
    perfect = summarize(score_prediction_files(tmp_path, data), data, "")
    assert perfect.mean_iou == perfect.pixel_accuracy == perfect.frequency_weighted_iou == 1
    assert (perfect.mean_iu, perfect.mean_accuracy) == (1, 1)


def test_a_missing_prediction_is_named(data, tmp_path):
    with pytest.raises(
        DataError, match=rf"no prediction for 3 of 3 samples, such as {data.names[0]}"
    ):
        list(score_prediction_files(tmp_path, data))


def test_a_prediction_of_another_size_is_named(data, tmp_path):
    for name in data.names:
        write_labels(tmp_path / f"{name}.png", np.zeros((5, 5), np.uint8), data.palette)
    with pytest.raises(DataError, match=r"compared at the labels' own size"):
        list(score_prediction_files(tmp_path, data))


def test_other_classes_are_refused(data):
    with pytest.raises(DataError, match="expected those of the model"):
        fc.evaluate(model_for(data), replace(data, classes=tuple("abcdefg")))
    with pytest.raises(DataError, match="no samples"):
        fc.evaluate(model_for(data), replace(data, names=()))


def test_an_evaluation_keeps_neither_images_nor_scores(data):
    alive = []

    def scored():
        for item in score_samples(model_for(data), data, keep_scores=True):
            alive.append((weakref.ref(item.sample.image), weakref.ref(item.prediction.score_array)))
            if len(alive) > 2:  # the item before this one is still in use
                assert [reference() for reference in alive[-3]] == [None, None]
            yield item
            del item

    result = summarize(scored(), data, "", None, True, 5)
    assert result.explanation and len(alive) == 3
    assert [reference() for pair in alive for reference in pair] == [None] * 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "model.safetensors"}, "model is of the type str; expected a model: fc.load"),
        ({"data": "photos"}, "data is of the type str; expected a data set: fc.open_data"),
        ({"suspects": -1}, "suspects is -1; expected how many"),
        ({"scales": "1"}, "scales '1': expected one or more distinct numbers"),
    ],
)
def test_what_cannot_be_evaluated_is_named(data, given, message):
    for measure in (fc.evaluate, fc.evaluate_heads):
        with pytest.raises(ConfigError, match=message):
            measure(**{"model": model_for(data), "data": data} | given)


def test_what_cannot_be_compared_is_named(data):
    compare = inspect.unwrap(fc.compare)  # without the tests' own check of types
    with pytest.raises(ConfigError, match="what is compared is of the type str; expected a model"):
        compare("a.safetensors", model_for(data), data)
