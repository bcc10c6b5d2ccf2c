"""The report states the settings and the extent of a run."""

import shlex

import pytest

from fullconv.config import RunConfig
from fullconv.training.initial_model import initial_model
from fullconv.training.report import next_commands, report_facts
from fullconv.training.trainer import Trainer
from toy_training import toy_data


def test_next_commands_name_the_run_its_data_and_what_it_was_evaluated_on(tmp_path):
    predict, evaluate = next_commands(tmp_path / "my run", "my photos?head=a,b", "train")
    assert shlex.split(predict)[:4] == ["fullconv", "predict", f"{tmp_path}/my run", "NEW_PHOTOS"]
    expected = ["fullconv", "evaluate", f"{tmp_path}/my run", "my photos?head=a,b"]
    assert shlex.split(evaluate)[:6] == [*expected, "--split", "train"]
    assert "--split all " in next_commands(tmp_path, "photos", None)[1]


@pytest.mark.parametrize(("crop", "text"), [((8, 16), "8 x 16"), ("whole", "whole images")])
def test_facts_follow_from_settings_and_training(crop, text):
    config = RunConfig(
        data="drawn", model="fcn32s-vgg11", width=1 / 64, hidden=4, crop=crop, batch=2, epochs=3
    )
    data = toy_data(5)
    trainer = Trainer(initial_model(config, data), data, config)
    facts = report_facts(config, trainer, 3, 2, [{"seconds": 60.0}, {"seconds": 30.0}])
    assert facts["data"] == "drawn: 5 training images, 3 evaluated" and facts["kept epoch"] == "2"
    assert facts["time"] == "1 min 30 s"
    assert facts["training crops"] == text and facts["image size"] == "original"


def test_the_steps_are_those_that_were_done():
    config = RunConfig(
        data="drawn", model="fcn32s-vgg11", width=1 / 64, hidden=4, batch=2, epochs=3
    )
    data = toy_data(5)
    trainer = Trainer(initial_model(config, data), data, config)
    stopped = {
        0: "0 of 6 with batch size 2 (0 of 3 epochs)",
        3: "3 of 6 with batch size 2 (2 of 3 ",
    }
    for trainer.done, expected in stopped.items():
        assert report_facts(config, trainer, 3, 2, [])["steps"].startswith(expected)
    trainer.done = 6
    assert report_facts(config, trainer, 3, 2, [])["steps"] == "6 with batch size 2 (3 epochs)"


def test_ema_and_logit_adjustment_are_stated():
    config = RunConfig(
        data="drawn", model="fcn32s-vgg11", width=1 / 64, hidden=4, ema=0.99, balance="enet"
    ).model_copy(update={"logit_adjust": 0.5, "size": (480, 640), "input_scale": 0.5})
    data = toy_data(4)
    facts = report_facts(config, Trainer(initial_model(config, data), data, config), 1, 1, [])
    assert facts["EMA decay"] == "0.99" and facts["logit adjustment"] == "0.5"
    assert facts["image size"] == "downscaled to fit 480 x 640, scaled by 0.5"
