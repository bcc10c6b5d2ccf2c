"""Options that describe a network given by its name are refused where a model brings its own."""

import inspect

import pytest

from fullconv.cli import run
from fullconv.cli._architecture import find_architecture

COMMANDS = {
    ("inspect",): ("classes", "padding", "width", "hidden", "upsampling", "fusing"),
    ("bench",): ("classes", "padding", "width", "hidden"),
    ("explain", "crops"): ("padding", "upsampling", "fusing"),
    ("explain", "receptive-field"): ("padding",),
}
# With the defaults, too: the model may have others.
VALUES = {
    "classes": "21",
    "padding": "same",
    "width": "1.0",
    "hidden": "4096",
    "upsampling": "bilinear",
    "fusing": "cascade",
}
MODELS = ("model.safetensors", "runs/train/photos-001", "model.onnx", "camvid")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("command", "option"), [(command, name) for command in COMMANDS for name in COMMANDS[command]]
)
def test_an_option_without_an_effect_on_a_model_is_refused(
    command, option, model, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run([*command, model, f"--{option}", VALUES[option]]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert f"--{option} has no effect on {model}, a model whose network is fixed; omit it" in text
    assert "Traceback" not in text and not list(tmp_path.iterdir())


def test_all_such_options_are_named(capsys):
    assert run(["inspect", "model.safetensors", "--fusing", "sum", "--classes", "3"]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert "--classes and --fusing have no effect on model.safetensors" in text


def test_the_test_knows_all_options_of_networks():
    parameters = inspect.signature(find_architecture).parameters
    assert {*VALUES} == {*parameters} - {"model", "usual_classes"}


def test_compiling_has_no_effect_on_an_exported_file(capsys):
    assert run(["bench", "model.onnx", "--compile"]) == 2
    assert "--compile has no effect on model.onnx, an exported file" in capsys.readouterr().err


def test_a_network_by_name_has_the_usual_options():
    architecture, card = find_architecture("fcn8s-vgg16")
    assert card is None and architecture.classes == 21 and architecture.padding == "same"
    assert (architecture.width, architecture.fusing) == (1.0, "cascade")
    named, _ = find_architecture("fcn8s-vgg16", classes=21, padding="same", width=1.0)
    assert named == architecture
