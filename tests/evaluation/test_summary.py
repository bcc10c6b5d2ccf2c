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
from fullconv.training.report import facts, next_commands, summed_rate
from fullconv.training.trainer import Trainer

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


def test_what_to_run_next_names_the_run_and_its_data(tmp_path):
    predict, evaluate = next_commands(tmp_path, "voc:VOC2012")
    assert predict.startswith(f"fullconv predict {tmp_path} ")
    assert f"{tmp_path} voc:VOC2012 " in evaluate


@pytest.mark.parametrize(("crop", "pixels"), [((8, 16), 128), ("whole", 32 * 32)])
def test_facts_follow_from_settings_and_training(crop, pixels):
    config = CONFIG.model_copy(update={"crop": crop, "batch": 2, "epochs": 3, "lr": 0.5})
    data = samples()
    training = Trainer(initial_model(config, data), data, config)
    assert summed_rate(config, training) == 0.5 / (2 * pixels)
    told = facts(config, training, 3, 2, [{"seconds": 60.0}, {"seconds": 30.0}])
    assert told["data"] == "drawn: 5 to train, 3 to evaluate" and told["best epoch"] == "2"
    assert told["steps"] == "0 of 2 photos (3 epochs)" and told["time"] == "1.5 minutes"
