"""Other libraries read the predictions back from the written files."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fullconv.batch.writers import writers
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.inference.prediction import Prediction

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 0, 255), (60, 70, 80), (0, 128, 0))
KINDS = {
    *("labels", "overlay", "probabilities", "probabilities8", "confidence", "geojson", "coco"),
    *("contact", "labelstudio", "cvat", "cvat-masks", "labelme", "labelme-masks"),
}


@pytest.fixture
def prediction():
    score = 3 * torch.randn(3, 12, 17, generator=torch.Generator().manual_seed(0))
    image = np.random.default_rng(0).integers(0, 256, (12, 17, 3)).astype(np.uint8)
    return Prediction(image, score.numpy(), CLASSES, PALETTE)


def softmax(prediction):
    exponential = np.exp(prediction.score.double().numpy())
    return exponential / exponential.sum(0)


def array(content):
    return np.load(io.BytesIO(content), allow_pickle=False)


def test_every_output_kind_has_a_suffix_and_a_summary():
    assert set(writers) >= KINDS
    assert all(writers[kind].suffix.startswith(".") and writers[kind].summary for kind in writers)
    with pytest.raises(
        UnknownNameError, match=r"unknown output kind 'overlays'; .* mean overlay\?"
    ):
        writers["overlays"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_equal_predictions_give_equal_bytes(prediction, kind):
    assert writers[kind].encode(prediction) == writers[kind].encode(replace(prediction))


def test_labels_are_an_indexed_png_in_the_palette(prediction):
    with Image.open(io.BytesIO(writers["labels"].encode(prediction))) as picture:
        assert picture.mode == "P" and (np.asarray(picture) == prediction.labels).all()
        assert (np.asarray(picture.convert("RGB")) == np.array(PALETTE)[prediction.labels]).all()


def test_the_overlay_is_a_jpeg_with_a_legend(prediction):
    with Image.open(io.BytesIO(writers["overlay"].encode(prediction))) as picture:
        assert picture.format == "JPEG" and picture.width == 17 and picture.height > 12


def test_probabilities_are_exact_up_to_rounding(prediction):
    half, eight = (
        array(writers[k].encode(prediction)) for k in ("probabilities", "probabilities8")
    )
    assert half.dtype == np.float16 and np.abs(half - softmax(prediction)).max() < 2**-11
    assert (
        eight.dtype == np.uint8
        and np.abs(eight / 255 - softmax(prediction)).max() <= 0.5 / 255 + 1e-6
    )


def test_confidence_is_the_largest_probability(prediction):
    with Image.open(io.BytesIO(writers["confidence"].encode(prediction))) as picture:
        assert picture.mode == "L"
        found = np.asarray(picture) / 255
    assert np.abs(found - softmax(prediction).max(0)).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_declared_kinds_need_scores(prediction, kind):
    labels_only = replace(prediction, score_array=None, stored_labels=prediction.labels)
    if writers[kind].scores:
        with pytest.raises(ConfigError, match="scores were not kept"):
            writers[kind].encode(labels_only)
    else:
        assert writers[kind].encode(labels_only) == writers[kind].encode(prediction)
