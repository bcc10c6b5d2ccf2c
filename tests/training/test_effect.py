"""Settings that need another one are refused without it, if a user gave them."""

import pytest

import fullconv as fc
from fullconv.cli._train_config import new_settings
from fullconv.errors import ConfigError
from fullconv.training.effect import check_effect
from toy_training import toy_data

CASES = {
    "momentum": (0.5, {"optimizer": "sgd"}),
    "teacher_weight": (0.25, {"teacher": "camvid"}),
    "final_loss_share": (0.5, {"final_loss": "dice"}),
    "evaluate_every": (2, {"epochs": 4}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_setting_without_effect_is_refused(name):
    value, needed = CASES[name]
    message = f"^{name} is {value}, but it has an effect only with .* leave {name} out$"
    without, default = fc.TrainConfig(**{name: value}), fc.TrainConfig()
    with pytest.raises(ConfigError, match=message):
        check_effect(without, {name})
    with pytest.raises(ConfigError, match=message):
        new_settings({"data": "scenes:9", name: value}, None, None)
    check_effect(without, {"lr"})
    check_effect(default, {name})
    check_effect(fc.TrainConfig(**{name: value} | needed), {name})


def test_stages_may_have_epochs_of_their_own():
    stages = ({"stride": 32, "epochs": 3},)
    check_effect(fc.TrainConfig(evaluate_every=2, stages=stages), {"evaluate_every"})


def test_a_loop_of_ones_own_refuses_them_too():
    for name in ("momentum", "teacher_weight", "final_loss_share"):
        config = fc.TrainConfig(**{name: CASES[name][0]})
        with pytest.raises(ConfigError, match=f"^{name} is "):
            fc.train("fcn32s-vgg11", toy_data(), config)


def test_what_a_recipe_or_a_file_sets_may_have_no_effect(tmp_path):
    given = {"data": "scenes:9", "recipe": "heavy", "optimizer": "adamw"}
    assert new_settings(given, None, None).momentum == 0.99
    file = tmp_path / "sgd.yaml"
    file.write_text("data: scenes:9\noptimizer: sgd\nmomentum: 0.5\n")
    assert new_settings({"optimizer": "adamw"}, file, None).momentum == 0.5
