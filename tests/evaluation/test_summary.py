"""A run's numbers, facts and pictures are told as they are, and JSON has no nan."""

import json

import numpy as np
import pytest

from fullconv.config import RunConfig
from fullconv.data.sample import Data, Sample
from fullconv.evaluation.evaluate import Evaluation
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.summary import four_numbers, gallery, numbers
from fullconv.training.initial_model import initial_model

NAN = float("nan")
CONFIG = RunConfig(data="drawn", model="fcn32s-vgg11", width=1 / 64, hidden=4)
SHARES = {"a": 0.5, "b": 0.9, "c": NAN, "d": 0.1, "e": 0.7}


def evaluation(images=SHARES):
    """Of 8 pixels of sky 6 are right and 2 taken for road; of 2 of road 1; there is no car."""
    counts = np.array([[6, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    return Evaluation(("sky", "road", "car"), Confusion(3, counts), images, "in full")


def samples(names=tuple(SHARES)):
    def read(index):
        image = np.full((32, 32, 3), index, np.uint8)
        return Sample(image, np.zeros((32, 32), np.uint8), names[index])

    return Data("drawn", None, ("sky", "road", "car"), ((0, 0, 0),) * 3, names, read)


def test_numbers_are_plain_and_absent_classes_null():
    found = json.loads(json.dumps(numbers(evaluation()), allow_nan=False))
    assert found["pixel_accuracy"] == 0.7 and found["mean_accuracy"] == (6 / 8 + 1 / 2) / 2
    assert found["per_class"]["sky"] == {"iu": 6 / 9, "accuracy": 6 / 8, "pixels": 8}
    assert found["per_class"]["car"] == {"iu": None, "accuracy": None, "pixels": 0}
    assert (found["images"], found["protocol"]) == (5, "in full")


def test_the_papers_four_numbers_in_their_order():
    iu = f"{100 * (6 / 9 + 1 / 4) / 2:.1f}"
    weighted = f"{100 * (0.8 * 6 / 9 + 0.2 / 4):.1f}"
    assert four_numbers(evaluation()) == (
        f"pixel accuracy 70.0 %  mean accuracy 62.5 %  mean IU {iu} %  f.w. IU {weighted} %"
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [(4, ["b", "e", "d", "c"]), (3, ["b", "e", "c"]), (9, ["b", "e", "a", "d", "c"])],
)
def test_the_gallery_is_half_the_best_and_half_the_worst(count, expected):
    data = samples()
    model = initial_model(CONFIG, data)
    pictures = gallery(model, data, evaluation(), count)
    assert [picture.name for picture in pictures] == expected
    assert all((one.answer == model.predict(one.image).labels).all() for one in pictures)
