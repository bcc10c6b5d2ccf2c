"""Exit codes, error messages and results of the commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fullconv as fc
from fullconv.cli import run
from fullconv.io.images import read_mask, write_image, write_labels
from fullconv.io.palettes import voc_palette

SMALL = ["--model", "fcn8s-vgg11_bn", "--width", "0.0625", "--hidden", "8", "--batch", "4"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Write ten images and masks, with spaces and umlauts in their names."""
    folder = tmp_path_factory.mktemp("daten") / "Meine Fotos äöü"
    data = fc.open_data("scenes:10@36x48")
    for number, sample in enumerate(data):
        name = f"straße {number} - Grün"
        write_image(folder / "images" / f"{name}.png", sample.image)
        write_labels(folder / "masks" / f"{name}.png", sample.labels, data.palette)
    (folder / "classes.txt").write_text("\n".join(data.classes), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert run(["train", str(photos), *SMALL, "--epochs", "2", "--out", str(out), "--quiet"]) == 0
    return out / "train" / "latest"


def test_a_folder_of_images_and_masks_is_trained_on(trained):
    assert trained.resolve().name == "Meine-Fotos-äöü-001"
    assert {"report.html", "best.safetensors", "summary.json"} <= set(os.listdir(trained))


def test_files_and_model_are_scored_equally(trained, photos, tmp_path, capsys):
    assert run(["evaluate", str(trained), str(photos), "--split", "all", "--json", "-"]) == 0
    by_model = json.loads(capsys.readouterr().out)
    out = str(tmp_path / "predictions")
    assert run(["predict", str(trained), str(photos / "images"), "--out", out]) == 0
    arguments = ["evaluate", str(photos), "--predictions", out, "--split", "all", "--json", "-"]
    capsys.readouterr()
    assert run(arguments) == 0
    by_files = json.loads(capsys.readouterr().out)
    assert by_model.pop("engine") == "torch"
    assert by_model.pop("model") == str(trained) and len(by_model.pop("model_digest")) == 16
    assert {**by_model, "protocol": 0} == {**by_files, "protocol": 0} and by_model["images"] == 10


def test_labels_are_indexed_pngs_of_the_photos_size(trained, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (31, 57, 3)).astype(np.uint8)
    write_image(tmp_path / "a b.png", image)
    out = tmp_path / "predictions"
    kinds = ["--save", "labels,overlay,probabilities", "--quiet"]
    assert run(["predict", str(trained), str(tmp_path / "a b.png"), "--out", str(out), *kinds]) == 0
    labels = read_mask(out / "labels" / "a b.png")
    assert labels.shape == (31, 57) and labels.max() < 7
    assert np.load(out / "probabilities" / "a b.npy").argmax(0).shape == (31, 57)
    assert (out / "overlay" / "a b.jpg").is_file()
    assert (out / "areas.csv").read_text().startswith("photo,sky,building")


def test_equal_stems_do_not_overwrite_each_other(trained, tmp_path):
    image = np.zeros((20, 20, 3), np.uint8)
    for name in ("x/a.png", "y/a.png", "x/a.jpg"):
        write_image(tmp_path / name, image)
    out = tmp_path / "predictions"
    assert (
        run(["predict", str(trained), str(tmp_path / "x"), str(tmp_path / "y"), "--out", str(out)])
        == 0
    )
    assert sorted(os.listdir(out / "labels")) == ["x__a_jpg.png", "x__a_png.png", "y__a_png.png"]


def test_one_bad_photo_does_not_stop_the_others(trained, tmp_path, capsys):
    write_image(tmp_path / "good.png", np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    out = str(tmp_path / "predictions")
    assert run(["predict", str(trained), str(tmp_path), "--out", out]) == 0
    text = capsys.readouterr().out
    assert "broken.png" in text and "1 photo, 1 failed" in text
    assert f"1 image failed; see {out}/errors.jsonl. Retry with --retry-failed." in text


def test_inspect_derives_the_papers_crop_offsets(capsys):
    assert run(["inspect", "fcn8s-vgg16", "--classes", "59", "--padding", "100"]) == 0
    text = capsys.readouterr().out
    assert "crop offsets 5, 9, 31" in text
    row = next(line.split() for line in text.splitlines() if line.startswith("fc7 "))
    assert row[-2:] == ["32", "404"] and row[2:7] == ["4096", "x", "16", "x", "16"]


@pytest.mark.parametrize(
    "options", [["--padding", "100"], ["--width", "0.5"], ["--hidden", "8"], ["--fusing", "sum"]]
)
def test_settings_of_a_network_are_refused_beside_a_file(options, trained, capsys):
    assert run(["inspect", str(trained), *options]) == 2
    assert f"{options[0]} has no effect on {trained}, a model" in capsys.readouterr().err


def test_inspect_writes_json(trained, capsys):
    assert run(["inspect", str(trained), "--json", "-"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["layers"][1]["name"] == "conv1_1" and values["offsets"] == [1, 1, 4]


MISTAKES = {
    "no data": (["train"], "no data set is given"),
    "no such folder": (["train", "nowhere"], "there is no data at nowhere"),
    "unknown option": (["train", "scenes:9", "--epoch", "3"], "--epochs"),
    "unknown command": (["trian"], "trian"),
    "bad size": (["train", "scenes:9", "--size", "big"], "expected height x width"),
    "bad padding": (["train", "scenes:9", "--padding", "much"], "expected 'same' or a number"),
    "bad epochs": (["train", "scenes:9", "--epochs", "0"], "epochs is 0"),
    "bad number": (["train", "scenes:9", "--epochs", "many"], "--epochs"),
    "bad model": (
        ["train", "scenes:9", "--model", "unet"],
        "unknown network 'unet'; expected fcn{32,16,8,4,2}s-BACKBONE",
    ),
    "bad config": (["train", "scenes:9", "--config", "nowhere.yaml"], "no such file"),
    "bad weights": (["train", "scenes:9", "--weights", "nowhere.pth"], "nowhere.pth"),
    "bad run": (["train", "--resume", "nowhere"], "not a run folder"),
    "bad scenes": (["train", "scenes:many"], "scenes"),
    "no model": (["predict", "nowhere.safetensors", "a.png"], "nowhere.safetensors"),
    "no evaluation data": (["evaluate", "nowhere"], "no data set is given"),
    "bad kinds": (["predict", "m", "a.png", "--save", "everything"], "expected coco, "),
    "order alone": (
        ["convert", "a.pth", "b.safetensors", "--order", "rgb"],
        "--order rgb is that of --mean",
    ),
    "given twice": (
        ["train", "scenes:9", "--lr", "0.1", "--set", "lr=0.2"],
        "lr is given twice, by --lr and by --set",
    ),
    "inspect what": (["inspect", "fcn8s-vgg17"], "vgg17"),
    "inspect size": (["inspect", "fcn8s-vgg16", "--size", "9"], "expected height x width"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_clear_message(what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[what]
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and not printed.out
    assert "Traceback" not in printed.err and len(printed.err.strip().splitlines()) <= 5
    assert not os.listdir(tmp_path), "no files are left"


def test_a_label_outside_the_classes_is_explained(photos, tmp_path, capsys):
    folder = tmp_path / "set"
    for number in range(3):
        write_image(folder / "images" / f"{number}.png", np.zeros((8, 8, 3), np.uint8))
        labels = np.full((8, 8), number * 3, np.uint8)
        write_labels(folder / "masks" / f"{number}.png", labels, voc_palette(3))
    (folder / "classes.txt").write_text("a\nb\n")
    assert run(["train", str(folder), *SMALL, "--epochs", "1", "--out", str(tmp_path / "o")]) == 2
    text = capsys.readouterr().err
    assert "masks/" in text and "64 pixels" in text and "classes.txt" in text


def test_a_run_is_resumed_only_with_its_settings(trained, tmp_path, capsys):
    unfinished = shutil.copytree(trained, tmp_path / "street-001")
    (unfinished / "summary.json").unlink()
    assert run(["train", "--resume", str(unfinished), "--lr", "0.5"]) == 2
    assert "was started with lr" in capsys.readouterr().err


def test_the_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"fullconv {fc.__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (10, 75)])
def test_a_stopped_training_is_saved_and_can_be_resumed(number, code, tmp_path):
    command = [sys.executable, "-m", "fullconv", "train", "scenes:20@48x64", *SMALL]
    command += ["--epochs", "400", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    log = tmp_path / "train" / "scenes-001" / "results.csv"
    while not log.is_file() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.Signals(number))
    text, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the checkpoint is saved" in text and "fullconv train --resume" in text
    assert (Path(log).parent / "last.safetensors").is_file()
