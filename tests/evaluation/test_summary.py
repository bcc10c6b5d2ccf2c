"""The summary of an evaluation; JSON has no nan."""

import json

import numpy as np
import pytest

from fullconv.config import RunConfig
from fullconv.data.sample import Data, Sample
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.image_counts import ImageCounts
from fullconv.evaluation.image_table import ImageTable
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.summary import choose_gallery, format_metrics
from fullconv.training.initial_model import initial_model

NAN = float("nan")
CONFIG = RunConfig(data="drawn", model="fcn32s-vgg11", width=1 / 64, hidden=4)
SHARES = {"a": 0.5, "b": 0.9, "c": NAN, "d": 0.1, "e": 0.7}


def evaluation(images=SHARES):
    """Return an evaluation: 6 of 8 sky and 1 of 2 road pixels are correct; car is absent."""
    counts = np.array([[6, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    values = np.zeros((len(images), 3, 3), np.int64)
    correct = np.rint([0 if np.isnan(share) else 10 * share for share in images.values()])
    values[:, 0, 0], values[:, 0, 2] = correct, np.where(correct > 0, 10 - correct, 0)
    unknown = np.full(len(images), NAN)
    nothing = np.zeros(len(images), np.int64)
    rows = ImageTable(ImageCounts(tuple(images), values), nothing, unknown, unknown, "0" * 16)
    return Evaluation(("sky", "road", "car"), Confusion(3, counts), rows, "in full")


def samples(names=tuple(SHARES)):
    def read(index):
        image = np.full((32, 32, 3), index, np.uint8)
        return Sample(image, np.zeros((32, 32), np.uint8), names[index])

    return Data("drawn", None, ("sky", "road", "car"), ((0, 0, 0),) * 3, names, read)


def test_absent_classes_are_null_in_json():
    found = json.loads(json.dumps(evaluation().to_dict(), allow_nan=False))
    assert found["pixel_accuracy"] == 0.7 and found["mean_accuracy"] == (6 / 8 + 1 / 2) / 2
    sky = {"iou": 6 / 9, "accuracy": 6 / 8, "precision": 6 / 7, "f1": 12 / 15, "pixels": 8}
    assert sky.items() <= found["per_class"]["sky"].items()
    car = found["per_class"]["car"]
    assert [car[name] for name in ("iou", "interval", "accuracy", "precision", "f1")] == [None] * 5
    assert (found["images"], found["protocol"]) == (5, "in full")
    assert (found["mean_iou_interval"], found["interval_unit"]) == (None, "4 images")


def test_the_four_metrics_in_one_line():
    iou = f"{100 * (6 / 9 + 1 / 4) / 2:.1f}"
    weighted = f"{100 * (0.8 * 6 / 9 + 0.2 / 4):.1f}"
    assert format_metrics(evaluation()) == (
        f"pixel accuracy 70.0 %  mean accuracy 62.5 %  mean IoU {iou} %  "
        f"frequency-weighted IoU {weighted} %"
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [(4, ["b", "e", "d", "c"]), (3, ["b", "e", "c"]), (9, ["b", "e", "a", "d", "c"])],
)
def test_the_gallery_has_the_best_and_the_worst_samples(count, expected):
    data = samples()
    model = initial_model(CONFIG, data)
    samples_shown = choose_gallery(model, data, evaluation(), count)
    assert [item.name for item in samples_shown] == expected
    assert all(
        (item.prediction == model.predict(item.image).labels).all() for item in samples_shown
    )
