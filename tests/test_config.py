from pathlib import Path

import numpy as np
import pytest

from fullconv.config import (
    Architecture,
    Normalization,
    RunConfig,
    Stage,
    TrainConfig,
    default_of,
    help_text,
    settings_reference,
)
from fullconv.config.training import GROUPS
from fullconv.errors import ConfigError

WRONG = [
    ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
    ({"epochs": 0}, "epochs is 0: expected 1 or more"),
    ({"lr": float("nan")}, "lr is nan"),
    ({"size": (0, 5)}, "size is 0"),
    ({"optimizer": "rmsprop"}, "optimizer is 'rmsprop'"),
    ({"flip": "maybe"}, "flip is 'maybe': expected true or false$"),
    ({"freeze_bn": "maybe"}, "freeze_bn is 'maybe': expected true or false$"),
    ({"epochs": "ten"}, "epochs is 'ten': expected a whole number$"),
    ({"epochs": 1.5}, "epochs is 1.5: expected a whole number$"),
    ({"lr": "high"}, "lr is 'high': expected a number$"),
    ({"jitter": True}, "jitter is True: expected a number$"),
    ({"epochs": True}, "epochs is True: expected a number$"),
    ({"skip_context": True}, "skip_context is True: expected a number$"),
    ({"loss": True}, "loss is True: expected a text$"),
    ({"recipe": 3}, "recipe is 3: expected a text$"),
    ({"device": "tpu"}, "device is 'tpu': expected auto, cpu, cuda, cuda:1 or mps"),
    ({"device": "gpu"}, "device is 'gpu': expected auto, cpu, cuda, cuda:1 or mps"),
    ({"learning_rate": 1}, "unknown setting 'learning_rate'; did you mean 'lr'"),
    ({"batch-size": 1}, "did you mean 'batch'"),
    ({"zebra": 1}, "unknown setting 'zebra'; docs/settings.md and the config.yaml of any run"),
    ({"zoom": (1.5, 0.75)}, r"zoom is .1.5, 0.75.: expected the smaller number first"),
    ({"zoom": (1e6, 1e6)}, "zoom is 1000000.0: expected 20 or less"),
    ({"crop": "whole", "class_crops": 0.5}, "class_crops is 0.5, but crop is whole, so there are"),
    (
        {"crop": list(range(10**6))},
        r"crop is \[0, 1, 2, 3, .*\]: expected at most 2 items",
    ),
    ({"hidden": 10**12}, "hidden is 1000000000000"),
    ({"stages": [{"strid": 32}]}, r"stages is .*did you mean 'stride'"),
    ({"padding": "all"}, "padding is 'all': expected 'same' or a whole number$"),
    ({"crop": 64}, "crop is 64: expected a list or 'whole'$"),
    ({"zoom": {0.5, 2.0}}, r"a set has no order; expected a list$"),
    ({"ema": 1}, "ema is 1: expected a number less than 1$"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_an_invalid_setting_is_named(values, message):
    with pytest.raises(ConfigError, match=message) as caught:
        TrainConfig(**values)
    assert "pydantic" not in str(caught.value) and "\n" not in str(caught.value)


def test_arrays_and_paths_are_taken_for_lists_and_texts():
    values = {"zoom": np.array([0.5, 2]), "lr": np.float32(0.5), "weights": Path("a.safetensors")}
    config = TrainConfig(**values)
    assert config.zoom == (0.5, 2) and type(config.lr) is float
    assert config.weights == "a.safetensors"
    with pytest.raises(ConfigError, match=r"crop is .*: expected"):
        TrainConfig(crop=Path("64x64"))


def test_a_missing_setting_is_named():
    with pytest.raises(ConfigError, match="the setting 'data' is missing"):
        RunConfig()


def test_all_invalid_settings_are_named_at_once():
    with pytest.raises(ConfigError, match=r"batch is 0.*epochs is 0"):
        TrainConfig.checked(epochs=0, batch=0)


def test_huge_sizes_are_rejected():
    for values in (
        {"classes": 10**12},
        {"classes": 2, "width": 1e9},
        {"classes": 2, "padding": -1},
    ):
        with pytest.raises(ConfigError):
            Architecture.checked(name="fcn8s-vgg16", **values)
    with pytest.raises(ConfigError):
        Normalization.checked(mean=(0, 0, 0), std=(1, 0, 1))


def test_the_default_learning_rate_depends_on_the_optimizer():
    assert TrainConfig(optimizer="sgd").learning_rate == 1e-2
    assert TrainConfig().learning_rate == 1e-3 and TrainConfig(lr=0.5).learning_rate == 0.5


def test_the_default_width_depends_on_the_weights():
    for settings, width in (
        ({"weights": "none"}, 0.25),
        ({"weights": None}, 0.25),  # as null in a settings file
        ({"weights": "a.pth"}, 1.0),
        ({"weights": "a.pth", "width": 0.5}, 0.5),
    ):
        config = TrainConfig(model="fcn8s-vgg16_bn", **settings)
        assert config.architecture_settings["width"] == width


def test_the_default_upsampling_repeats_the_edge_unless_it_is_learned_or_padded():
    for settings, upsampling in (
        ({}, "bilinear"),
        ({"padding": 100}, "transposed"),
        ({"learn_upsampling": True}, "transposed"),
        ({"upsampling": "transposed"}, "transposed"),
    ):
        config = TrainConfig(model="fcn8s-vgg16_bn", **settings)
        assert config.architecture_settings["upsampling"] == upsampling


def test_the_default_network_has_context_layers_unless_they_are_switched_off():
    lite2, off = (
        TrainConfig(model="fcn4s-efficientnet_lite2", **settings).architecture_settings
        for settings in ({}, {"context": 0, "skip_context": 0})
    )
    assert (lite2["context"], lite2["skip_context"]) == (160, 48)
    assert (off["context"], off["skip_context"]) == (0, 0)
    other = TrainConfig(model="fcn4s-resnet18").architecture_settings
    assert (other["context"], other["skip_context"]) == (0, 0)


def test_every_setting_is_in_one_group_and_has_a_description():
    names = [name for group in GROUPS for name in group.model_fields]
    assert sorted([*names, "data"]) == sorted(RunConfig.model_fields)
    for model in (RunConfig, Stage):
        for name, field in model.model_fields.items():
            assert field.description and field.description.endswith("."), name
            assert default_of(field) not in ("", "None"), name


def test_config_yaml_is_flat():
    values = RunConfig(data="photos", stages=[{"stride": 32}]).model_dump(mode="json")
    assert [name for name, value in values.items() if isinstance(value, dict)] == []


REFERENCE = {
    "| `epochs` | integer | what the minutes allow | [1, 100,000] | Number of epochs",
    "| `ema` | number | 0 | [0, 1) |",
    "| `optimizer` | `sgd` or `adamw` | adamw | |",
    "| `crop` | [integer, integer] or `whole` | 224x224 to 256x256 on a CPU, to 448x448 on a GPU, "
    "by the sizes of objects; down to 160x160 for few minutes; the typical size of small images, "
    "and with size | [1, 65,536] |",
    "| `zoom` | [number, number] | [0.75, 1.5] | [0.05, 20] |",
    "| `flip` | true or false | true | |",
    "| `clip` | number | no clipping | > 0 |",
    "| `evaluate_every` | integer | 1 | ≥ 1 |",
    "| `data` | text | required | |",
    "| `stages` | list of mappings | none | |",
}


def test_the_reference_has_a_row_for_each_setting_of_each_group():
    page = settings_reference()
    lines = page.splitlines()
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert sorted(rows) == sorted(RunConfig.model_fields)
    titles = [line for line in lines if line.startswith("## ")]
    groups = ("Model", "Data", "Augmentation", "Duration", "Optimization", "Run")
    assert titles == [f"## {group}" for group in groups]
    for start in REFERENCE:
        assert any(line.startswith(start) for line in lines), start


def test_help_states_the_default():
    assert help_text("momentum") == "Momentum of SGD. [default: 0.9]"
    assert help_text("width").endswith("[default: 0.25 without weights, 1 with]")
