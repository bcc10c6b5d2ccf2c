"""fullconv cache, and the line about the engine that the commands print."""

import json
from pathlib import Path

import pytest
from PIL import Image

import export_models
from fullconv.cli import run
from fullconv.inference.shelf import shelf


@pytest.fixture
def folder(doubles, monkeypatch, tmp_path):
    """A folder with a model and photos, and engines that are copies of the network."""
    monkeypatch.chdir(tmp_path)
    export_models.model().save("model.safetensors")
    Path("photos").mkdir()
    for number, photo in enumerate(export_models.photos(*[(40, 50)] * 3)):
        Image.fromarray(photo).save(f"photos/{number}.png")
    return tmp_path


def test_the_cache_is_shown_and_cleared(folder, capsys):
    assert run(["cache"]) == 0
    text = "".join(capsys.readouterr().out.split())  # lines are as long as the terminal is wide
    assert f"{folder}/cache/engines:0Bofatmost2.0GiB" in text
    command = ["predict", "model.safetensors", "photos", "--engine", "onnx", "--threads", "1"]
    assert run([*command, "--out", "out", "--json", "out.json"]) == 0
    text = capsys.readouterr().out
    assert "engine  ONNX Runtime" in text and "preparing other engines" in text
    assert json.loads(Path("out.json").read_text())["engine"] == "onnx"
    assert run(["cache", "--json", "cache.json"]) == 0
    shown = capsys.readouterr().out
    assert "fcn8s-vgg11" in shown and "last used 20" in shown
    (network,) = json.loads(Path("cache.json").read_text())["networks"]
    assert network["name"] == "fcn8s-vgg11" and network["bytes"] > 0
    assert run(["cache", "--clear"]) == 0
    assert "removed" in capsys.readouterr().out
    assert run(["cache", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == []


def test_predictions_of_teachers_and_downloaded_models_are_shown_and_cleared(folder, capsys):
    mine = "models/notes.txt", "models/nuclei/mine.safetensors", "models/a/best.safetensors"
    for name in (
        "teachers/0123456789abcdef/000000.z",
        f"models/nuclei/{shelf()['nuclei'].file}",
        *mine,
    ):
        (folder / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cache" / name).write_bytes(b"12345")
    assert run(["cache", "--json", "cache.json"]) == 0
    text = "".join(capsys.readouterr().out.split())
    assert f"teachers{folder}/cache/teachers:5B" in text and "cache/models:5B" in text
    assert json.loads(Path("cache.json").read_text())["teachers"] == 5
    assert run(["cache", "--clear", "--json", "cache.json"]) == 0
    assert json.loads(Path("cache.json").read_text())["models"] == 0
    assert not (folder / "cache" / "teachers").exists()
    left = {path.relative_to(folder / "cache") for path in (folder / "cache").rglob("*.*")}
    assert left == set(map(Path, mine)), "FULLCONV_CACHE may have other things in a folder models"


def test_few_photos_say_nothing_of_engines(folder, capsys):
    assert run(["predict", "model.safetensors", "photos", "--out", "out"]) == 0
    assert "engine" not in capsys.readouterr().out
    assert json.loads(Path("out/predict.json").read_text())["engine"] == "torch"
