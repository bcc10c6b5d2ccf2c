"""The command convert-data keeps images, labels, classes and splits."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run
from fullconv.cli.convert_data import check_one_head, locate_samples
from fullconv.config import Head
from fullconv.data.formats import open_data
from fullconv.data.sample import Data
from fullconv.errors import DataError, OutputError
from fullconv.io.atomic import building


@pytest.fixture
def source(tmp_path):
    """Return a LabelMe folder of four images with ignored pixels and two classes."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "labels.txt").write_text("_background_\nroad\ntraffic light\n")
    rng = np.random.default_rng(0)
    for stem in ("a", "b b", "ü", "1"):
        pixels = rng.integers(0, 256, (12, 15, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{stem}.png")
        names = ("road", "traffic light", "__ignore__")
        shapes = [
            {"label": name, "points": rng.uniform(0, 15, (4, 2)).tolist(), "shape_type": "polygon"}
            for name in names
        ]
        content = {"shapes": shapes, "imagePath": f"{stem}.png", "imageData": None}
        (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder


def convert(data, out, *options):
    assert run(["convert-data", str(data), str(out), "--quiet", *options]) == 0
    return open_data(out)


def test_labels_of_several_heads_are_refused_since_masks_hold_one():
    heads = [Head(name=name, classes=("a",), palette=((0, 0, 0),)) for name in ("one", "other")]
    data = Data("siftflow:x", None, ("a",), ((0, 0, 0),), (), lambda index: None)
    check_one_head(data)
    with pytest.raises(DataError, match=r"heads one, other; .* one by one: \?head=one"):
        check_one_head(replace(data, heads=tuple(heads)))


@pytest.mark.parametrize("split", [None, "train", "val"])
def test_images_and_labels_are_unchanged(source, tmp_path, split):
    convert(source, tmp_path / "out")
    before, after = open_data(source, split), open_data(tmp_path / "out", split)
    assert after.names == before.names
    assert after.classes == before.classes
    assert after.palette == before.palette
    for expected, found in zip(before, after, strict=True):
        assert np.array_equal(expected.labels, found.labels)
        assert np.array_equal(expected.image, found.image)


def test_scenes_keep_their_test_split(tmp_path):
    convert("scenes:5@16x16", tmp_path / "out")
    for split in ("train", "val", "test"):
        before = open_data("scenes:5@16x16", split)
        after = open_data(tmp_path / "out", split)
        assert after.names == before.names
        for expected, found in zip(before, after, strict=True):
            assert np.array_equal(expected.labels, found.labels)


def test_masks_are_indexed_pngs_in_the_classes_colours(source, tmp_path):
    data = convert(source, tmp_path / "out")
    mask = Image.open(tmp_path / "out" / "masks" / "ü.png")
    assert mask.mode == "P"
    assert tuple(mask.getpalette()[3:6]) == data.palette[1]
    assert mask.getpalette()[-3:] == [224, 224, 192]


def test_classes_and_split_lists_are_written(source, tmp_path):
    convert(source, tmp_path / "out")
    lines = (tmp_path / "out" / "classes.txt").read_text().splitlines()
    assert lines == [
        "0 _background_ #000000",
        "1 road #800000",
        "2 traffic light #008000",
        "255 void",
    ]
    lists = [
        (tmp_path / "out" / "splits" / f"{split}.txt").read_text() for split in ("train", "val")
    ]
    assert sorted("".join(lists).splitlines()) == ["1", "a", "b b", "ü"]


def test_a_class_in_the_colour_of_ignored_pixels_stays_apart(tmp_path):
    labels = np.array([[0, 1, 255]] * 3, np.uint8)
    for name, pixels in (("images", np.zeros((3, 3, 3), np.uint8)), ("masks", labels)):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "in" / name / "a.png")
    (tmp_path / "in" / "classes.txt").write_text("0 road #102030\n1 sand #e0e0c0\n255 void\n")
    assert np.array_equal(open_data(tmp_path / "in")[0].labels, labels)
    assert np.array_equal(convert(tmp_path / "in", tmp_path / "out")[0].labels, labels)


def test_ignored_pixels_do_not_become_a_class(tmp_path):
    """Masks of only 0 and 255 look like a binary data set."""
    (tmp_path / "set" / "images").mkdir(parents=True), (tmp_path / "set" / "masks").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "set" / "images" / "a.png")
    Image.fromarray(np.array([[0, 0, 255, 255]] * 3, np.uint8)).save(
        tmp_path / "set" / "masks" / "a.png"
    )
    (tmp_path / "set" / "classes.txt").write_text("0 other\n1 road\n255 void\n")
    data = convert(tmp_path / "set", tmp_path / "out")
    assert np.unique(data[0].labels).tolist() == [0, 255]


def test_json_has_the_counts(source, tmp_path, capsys):
    data = convert(source, tmp_path / "out", "--json", str(tmp_path / "result.json"))
    result = json.loads((tmp_path / "result.json").read_text())
    counts = np.bincount(np.concatenate([sample.labels.ravel() for sample in data]), minlength=256)
    assert result["photos"] == 4
    assert result["splits"] == {"train": 3, "val": 1}
    assert list(result["pixels"].values()) == counts[:3].tolist()
    assert result["void"] == counts[255] > 0
    assert "4 images (3 train, 1 val), 3 classes" in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), ("--splits-only",), ("--quiet",)])
def test_what_is_left_out_is_said(source, tmp_path, capsys, options):
    Image.new("RGB", (15, 12)).save(source / "later.png")
    assert run(["convert-data", str(source), str(tmp_path / "out"), *options]) == 0
    said = capsys.readouterr().out
    assert said.count("warning: ") == 1
    assert "1 photo left out, without a .json file: later.png" in said


def test_an_existing_folder_is_not_overwritten(source, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    convert(source, tmp_path / "out")
    before = (tmp_path / "out" / "classes.txt").stat()
    assert run(["convert-data", str(source), str(tmp_path / "out")]) == 74
    assert "exists and is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "out" / "classes.txt").stat() == before


def test_a_bad_record_leaves_no_folder(source, tmp_path, capsys):
    (source / "ü.json").write_text("{")
    assert run(["convert-data", str(source), str(tmp_path / "out")]) == 2
    assert "ü.json: broken JSON" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["source"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with building(tmp_path / "out") as folder:
        (folder / "a").write_text("x")
        assert not (tmp_path / "out").exists()
    assert os.listdir(tmp_path) == ["out"]
    with pytest.raises(OutputError), building(tmp_path / "out"):
        pytest.fail("the folder exists")
    with pytest.raises(OutputError), building(tmp_path / "out" / "a" / "b"):
        pytest.fail("a file is in the way")


@pytest.mark.parametrize("options", [(), ("--splits-only",)])
def test_json_on_standard_output_is_the_only_output(source, tmp_path, capsys, options):
    assert run(["convert-data", str(source), str(tmp_path / "out"), "--json", "-", *options]) == 0
    values = json.loads(capsys.readouterr().out)
    assert ("train" in values) if options else (values["photos"] == 4)


def test_split_lists_are_printed_with_their_share(tmp_path, capsys):
    assert run(["convert-data", "scenes:10@16x16", str(tmp_path / "out"), "--splits-only"]) == 0
    text = capsys.readouterr().out
    assert sum(int(part) for part in re.findall(r"[(](\d+) %[)]", text)) in (99, 100, 101)


def pairs(folder, *names):
    for name in names:
        for part, mode in (("images", "RGB"), ("masks", "L")):
            path = folder / part / name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Image.new(mode, (15, 12)).save(os.fspath(path), "PNG")
    (folder / "classes.txt").write_text("a\nb\n")
    return folder


@pytest.mark.parametrize("names", [("a.jpg", "a.png"), ("a.png", "A.png"), ("x/y.png", "x__y.png")])
def test_names_that_would_be_one_file_are_refused(tmp_path, capsys, names):
    source = pairs(tmp_path / "source", *names)
    assert run(["convert-data", str(source), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "same sample name" in " ".join(error.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a"), ("\u00fc", "u\u0308")])
def test_names_that_are_equal_on_other_systems_are_refused(names):
    data = Data("photos", None, ("a",), ((0, 0, 0),), names, lambda index: None)
    with pytest.raises(DataError, match="which many systems take for one file"):
        locate_samples(data, {"train": data})
    single = replace(data, names=names[:1])
    assert list(locate_samples(single, {"train": single})) == [names[0]]


def test_nothing_is_written_elsewhere(tmp_path):
    """Names with line breaks, bytes that are no UTF-8, and the characters of paths."""
    odd = [os.fsdecode(b"caf\xe9.png"), "two\nlines.png", "..\\up.png", "a\u2028b.png", "...c.png"]
    source = pairs(tmp_path / "source", "plain.png", *odd)
    data = convert(source, tmp_path / "out")
    assert data.names == open_data(source).names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]
    written = [path for path in (tmp_path / "out" / "images").rglob("*")]
    assert len(written) == len(data) == 4  # those that begin with a dot are hidden
    assert all(path.parent == tmp_path / "out" / "images" for path in written)
    for split in ("train", "val"):
        names = (tmp_path / "out" / "splits" / f"{split}.txt").read_text("utf-8").splitlines()
        assert {*names} <= {*data.names}
    assert run(["check", str(source), "--out", str(tmp_path / "runs"), "--quiet"]) in (0, 4)
