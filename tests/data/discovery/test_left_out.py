"""What a data set leaves out is counted: by `check`, by `train` and in `Data.warnings`."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run
from fullconv.data.formats import inventory, open_data
from inventories import with_code


def pairs(folder, names="abcdef", images="images", masks="masks"):
    for seed, name in enumerate(names):
        noise = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)
        for place, pixels, suffix in ((images, noise, "jpg"), (masks, noise[..., 0] % 2, "png")):
            (folder / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / place / f"{name}.{suffix}")
    (folder / "classes.txt").write_text("sky\nroad\n")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *("train.json", "splits.json", "val.yaml", "splits/fold1.json", "lists/val.npy"),
        *("my_train_ids.txt", "train-split.pkl", "meta/train.txt", "train2.tsv"),
    ],
)
def test_lists_that_are_not_read_are_named(tmp_path, name):
    path = pairs(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(["a", "b"]))
    data = open_data(tmp_path, "train")
    (warning,) = data.warnings
    assert f"1 file called as lists of splits, but not read: {name};" in warning
    (problem,) = with_code(inventory(tmp_path), "list-not-read")
    assert not problem.fatal


@pytest.mark.parametrize(
    "name", ["train_log.txt", "notes.json", "README.txt", "masks/train.txt", "a.json", "trains.txt"]
)
def test_other_files_are_no_lists(tmp_path, name):
    pairs(tmp_path, "abcdef")
    (tmp_path / name).write_text("[]")
    assert open_data(tmp_path, "train").warnings == ()


def test_files_named_as_samples_are_no_lists(tmp_path):
    pairs(tmp_path, ["train_1", "train_2", "val_1"])
    (tmp_path / "train_1.json").write_text("{}")
    assert open_data(tmp_path, "train").warnings == ()


def test_pictures_that_are_not_read_are_counted(tmp_path):
    pairs(tmp_path)
    for name in ("x.gif", "y.gif"):
        (tmp_path / "images" / name).write_bytes(b"x")
    (warning,) = open_data(tmp_path, "val").warnings
    assert "images: 2 .gif left out" in warning


def test_train_and_evaluate_print_what_is_left_out(tmp_path, capsys):
    pairs(tmp_path / "d")
    (tmp_path / "d" / "train.json").write_text('["a"]')
    size = ["--width", "0.0625", "--hidden", "8", "--steps", "1", "--set", "preflight=false"]
    train = ["train", str(tmp_path / "d"), "--model", "fcn32s-vgg11", *size]
    assert run([*train, "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("warning: ") >= 1
    assert printed.count("1 file called as lists of splits, but not read: train.json") == 1
    made = tmp_path / "runs" / "train" / "d-001"
    assert "train.json" in (made / "events.jsonl").read_text()
    evaluate = ["evaluate", str(made), str(tmp_path / "d"), "--out", str(tmp_path / "runs")]
    assert run([*evaluate, "--quiet"]) == 0
    assert "not read: train.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["classes.json", "class_names.yaml", "label-map.pkl", "Classes.txt"]
)
def test_lists_of_classes_that_are_not_read_are_named(tmp_path, name):
    (pairs(tmp_path) / "classes.txt").unlink()
    (tmp_path / name).write_text('["sky", "road"]')
    (warning,) = open_data(tmp_path, "train").warnings
    assert f"1 file called as lists of classes, but not read: {name};" in warning
    (tmp_path / "classes.csv").write_text("name,r,g,b\nsky,0,0,0\nroad,1,1,1\n")
    data = open_data(tmp_path, "train")
    assert data.classes == ("sky", "road") and data.warnings == ()
