"""Recipes are settings that the training takes, with the authors' numbers in them."""

import pytest

from fullconv.config import RunConfig, TrainConfig
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.training.recipes import RECIPES, with_recipe

PAPER = ("heavy", "last-layer-only", "paper-at-once", "paper-staged")


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_is_settings_that_are_known(name):
    config = TrainConfig.checked(**with_recipe({"recipe": name}))
    assert config.recipe == name and RECIPES[name].summary and RECIPES[name].source


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_trainings_share_their_solver(name):
    config = TrainConfig.checked(**with_recipe({"recipe": name}))
    assert (config.padding, config.batch, config.momentum, config.bias_lr_mult) == (100, 1, 0.99, 2)
    assert config.weight_decay == 5e-4 and config.schedule == "constant"
    assert config.crop_size is None and not config.flip and config.scale == (1, 1)


def test_the_stages_rates_fall_a_hundredfold():
    # voc-fcn32s, 16s and 8s/solver.prototxt: 1e-10, 1e-12, 1e-14
    config = TrainConfig.checked(**with_recipe({"recipe": "paper-staged"}))
    rates = [*(stage.lr for stage in config.stages), config.lr]
    assert [stage.stride for stage in config.stages] == [32, 16]
    assert rates[0] / rates[1] == pytest.approx(100) and rates[1] / rates[2] == pytest.approx(100)
    assert rates[0] == pytest.approx(1.9e-5, rel=0.02)


def test_what_is_given_wins_over_the_recipe():
    config = TrainConfig.checked(**with_recipe({"recipe": "heavy", "lr": 0.5, "batch": 2}))
    assert (config.lr, config.batch, config.momentum) == (0.5, 2, 0.99)


def test_modern_is_what_nobody_asked_for():
    assert with_recipe({}) == RECIPES["modern"].settings == {"ema": 0.99}
    assert with_recipe({"ema": 0.0})["ema"] == 0


def test_a_backbone_that_has_learned_before_learns_slower():
    assert TrainConfig(weights="imagenet").backbone_factor == 0.25
    assert TrainConfig().backbone_factor == 1
    assert TrainConfig(weights="imagenet", backbone_lr_mult=0.5).backbone_factor == 0.5


def test_an_unknown_recipe_is_refused_with_the_known_names():
    with pytest.raises(UnknownNameError, match="paper-staged"):
        with_recipe({"recipe": "paper_staged"})


def test_a_stage_of_an_unknown_stride_is_refused():
    with pytest.raises(ConfigError):
        RunConfig.checked(data="scenes:4", stages=[{"stride": 5}])
