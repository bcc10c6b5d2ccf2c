from pathlib import Path

import pytest

from fullconv.config import (
    Architecture,
    Normalization,
    RunConfig,
    TrainConfig,
    read_yaml,
    to_yaml,
)
from fullconv.errors import ConfigError


def test_settings_survive_yaml(tmp_path):
    config = RunConfig(data="photos", size=(480, 640), scale=(0.5, 2.0), skip_scales=(0.01, 0.0001))
    (tmp_path / "config.yaml").write_text(to_yaml(config.model_dump(mode="json")))
    assert RunConfig.checked(**read_yaml(tmp_path / "config.yaml")) == config


WRONG = [
    ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
    ({"epochs": 0}, "epochs is 0: input should be greater than or equal to 1"),
    ({"lr": float("nan")}, "lr is nan"),
    ({"size": (0, 5)}, "size is 0"),
    ({"optimizer": "rmsprop"}, "optimizer is 'rmsprop'"),
    ({"device": "tpu"}, "device is 'tpu'"),
    ({"hidden": 10**12}, "hidden is 1000000000000"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_a_wrong_setting_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig.checked(**values)


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(ConfigError, match=r"batch is 0.*epochs is 0"):
        TrainConfig.checked(epochs=0, batch=0)


def test_no_size_is_too_large_to_be_checked_first():
    for values in (
        {"classes": 10**12},
        {"classes": 2, "width": 1e9},
        {"classes": 2, "padding": -1},
    ):
        with pytest.raises(ConfigError):
            Architecture.checked(name="fcn8s-vgg16", **values)
    with pytest.raises(ConfigError):
        Normalization.checked(mean=(0, 0, 0), std=(1, 0, 1))


BAD_YAML = {
    "code": ("!!python/object/apply:os.system ['touch sentinel']", "not valid YAML"),
    "a list": ("- 1\n- 2", "expected settings"),
    "broken": ("a: [1", "not valid YAML"),
    "a number as a name": ("1: 2", "expected settings"),
}


@pytest.mark.parametrize("what", BAD_YAML)
def test_yaml_that_is_no_settings_is_refused(tmp_path, monkeypatch, what):
    text, message = BAD_YAML[what]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_yaml(tmp_path / "a.yaml")
    assert not (tmp_path / "sentinel").exists()


def test_a_missing_file():
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(Path("nowhere.yaml"))


def test_the_default_rate_follows_the_optimiser():
    assert TrainConfig(optimizer="sgd").learning_rate == 1e-2
    assert TrainConfig().learning_rate == 1e-3 and TrainConfig(lr=0.5).learning_rate == 0.5


def test_weights_need_the_whole_width():
    assert TrainConfig().architecture_settings["width"] == 0.25
    assert TrainConfig(weights="a.pth").architecture_settings["width"] == 1.0
    assert TrainConfig(weights="a.pth", width=0.5).architecture_settings["width"] == 0.5
