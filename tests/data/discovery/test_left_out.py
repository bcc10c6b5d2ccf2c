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


@pytest.mark.parametrize("layout", ["folders", "voc"])
def test_samples_in_no_list_are_counted(tmp_path, layout):
    places = {"folders": ("images", "masks"), "voc": ("JPEGImages", "SegmentationClass")}
    pairs(tmp_path, "abcdef", *places[layout])
    lists = {"folders": "splits", "voc": "ImageSets/Segmentation"}[layout]
    (tmp_path / lists).mkdir(parents=True)
    for split, names in (("train", "ab"), ("val", "c"), ("test", "d")):
        (tmp_path / lists / f"{split}.txt").write_text("\n".join(names))
    (warning,) = open_data(tmp_path, "train").warnings
    assert "2 samples left out, in no split: e, f; expected every sample in a list" in warning
    (tmp_path / lists / "rest.txt").write_text("e\nf\n")
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


BESIDE = {
    "{split}/images": ("{split}/images", "{split}/masks"),
    "images/{split}": ("images/{split}", "masks/{split}"),
    "{split} beside {split}_labels": ("{split}", "{split}_labels"),
}


@pytest.mark.parametrize("layout", BESIDE)
def test_photos_beside_the_folders_of_splits_are_counted(tmp_path, layout):
    for split, names in (("train", "abc"), ("val", "de"), ("extra", "fghi"), ("more", "j")):
        pairs(tmp_path, names, *(text.format(split=split) for text in BESIDE[layout]))
    if layout == "images/{split}":  # else it is unclear which of them are splits
        text = "train: images/train\nval: images/val\nmasks_dir: masks\nnames: [sky, road]\n"
        (tmp_path / "dataset.yaml").write_text(text)
    places = [BESIDE[layout][0].format(split=split) for split in ("extra", "more")]
    for split, number in (("train", 3), ("val", 2), (None, 5)):
        data = open_data(tmp_path, split)
        assert len(data) == number
        (warning,) = data.warnings
        assert f"5 photos left out, in no split: {places[0]}/ (4), {places[1]}/ (1);" in warning
    (problem,) = with_code(inventory(tmp_path), "unused-folder")
    assert not problem.fatal


def test_photos_beside_the_only_folder_of_photos_are_counted(tmp_path):
    pairs(pairs(tmp_path), "gh", "old/images", "old/masks")
    (warning,) = open_data(tmp_path, "train").warnings
    assert "2 photos left out, in no split: old/images/ (2);" in warning


@pytest.mark.parametrize("split", ["train", "val"])
def test_folders_of_other_things_beside_splits_do_not_count(tmp_path, split):
    for name in ("train", "val"):
        pairs(tmp_path, "abc" if name == "train" else "de", name, f"{name}_labels")
        pairs(tmp_path, "abc", "runs/predict", f"depth/{name}")
    assert open_data(tmp_path, split).warnings == ()


def test_photos_of_a_split_that_cannot_be_used_are_not_said_to_be_in_none(tmp_path):
    for split, names in (("train", "abc"), ("val", "de")):
        pairs(tmp_path, names, f"{split}/images", f"{split}/masks")
    for path in (tmp_path / "val/masks").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    assert not with_code(inventory(tmp_path), "unused-folder")
