"""Recipes are valid settings with the authors' numbers."""

import pytest

import fullconv as fc
from fullconv.config import RunConfig, TrainConfig
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.training.recipes import RECIPES, recipe_applied, with_recipe
from toy_training import toy_data

PAPER = ("heavy", "last-layer-only", "paper-at-once", "paper-staged")


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_consists_of_valid_settings(name):
    config = TrainConfig.checked(**with_recipe({"recipe": name}))
    assert config.recipe == name and RECIPES[name].summary and RECIPES[name].source


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipes_share_their_solver(name):
    config = TrainConfig.checked(**with_recipe({"recipe": name}))
    assert (config.padding, config.batch, config.momentum, config.bias_lr_mult) == (100, 1, 0.99, 2)
    assert config.weight_decay == 5e-4 and config.schedule == "constant"
    assert config.crop_size is None and not config.flip and config.zoom == (1, 1)


def test_the_learning_rate_falls_a_hundredfold_per_stage():
    # voc-fcn32s, 16s and 8s/solver.prototxt: 1e-10, 1e-12, 1e-14
    config = TrainConfig.checked(**with_recipe({"recipe": "paper-staged"}))
    rates = [*(stage.lr for stage in config.stages), config.lr]
    assert [stage.stride for stage in config.stages] == [32, 16]
    assert rates[0] / rates[1] == pytest.approx(100) and rates[1] / rates[2] == pytest.approx(100)
    assert rates[0] == pytest.approx(1.9e-5, rel=0.02)


def test_given_settings_override_the_recipe():
    config = TrainConfig.checked(**with_recipe({"recipe": "heavy", "lr": 0.5, "batch": 2}))
    assert (config.lr, config.batch, config.momentum) == (0.5, 2, 0.99)


def test_a_recipe_holds_in_a_loop_of_ones_own():
    config = recipe_applied(TrainConfig(recipe="heavy", lr=0.5))
    assert (config.lr, config.momentum, config.crop, config.flip) == (0.5, 0.99, "whole", False)
    assert recipe_applied(TrainConfig(lr=0.5)) == TrainConfig(lr=0.5, **RECIPES["modern"].settings)
    data = RunConfig(data="scenes:9", recipe="heavy")
    assert recipe_applied(data).data == "scenes:9" and recipe_applied(data).momentum == 0.99
    assert recipe_applied(config) == config
    with pytest.raises(UnknownNameError, match="heavy"):
        fc.train("auto", toy_data(), TrainConfig(recipe="heavi"))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"recipe": "paper-staged"}, "stages is a setting of the command fullconv train"),
        ({"train_on": "train+val", "keep": "last"}, "train_on is a setting"),
        ({"inputs": "depth", "track": ("wandb",)}, "track is a setting"),
    ],
)
def test_settings_of_runs_have_no_effect_on_a_loop_of_ones_own(settings, named):
    with pytest.raises(ConfigError, match=named):
        fc.train("auto", toy_data(), TrainConfig(**settings))


def test_modern_is_the_default():
    modern = {"ema": 0.99, "loss": "auto", "balance": "auto"}
    assert with_recipe({}) == RECIPES["modern"].settings == modern
    assert with_recipe({"ema": 0.0})["ema"] == 0


def test_learning_rates_follow_from_the_initial_weights():
    assert TrainConfig(weights="imagenet").learning_rate == 2e-3
    assert TrainConfig(weights="imagenet", optimizer="sgd").learning_rate == 1e-2
    assert TrainConfig().learning_rate == 1e-3


def test_a_pretrained_backbone_has_a_lower_learning_rate():
    assert TrainConfig(weights="imagenet").backbone_factor == 0.25
    assert TrainConfig().backbone_factor == 1
    assert TrainConfig(weights="imagenet", backbone_lr_mult=0.5).backbone_factor == 0.5


def test_an_unknown_recipe_is_rejected_with_the_known_names():
    with pytest.raises(UnknownNameError, match="paper-staged"):
        with_recipe({"recipe": "paper_staged"})


def test_a_stage_of_an_unknown_stride_is_rejected():
    with pytest.raises(ConfigError):
        RunConfig.checked(data="scenes:4", stages=[{"stride": 5}])
