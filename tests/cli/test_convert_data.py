import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run
from fullconv.data.formats import open_data
from fullconv.errors import OutputError
from fullconv.io.atomic import building


@pytest.fixture
def drawn(tmp_path):
    """Four photos of one LabelMe folder, with void and two classes."""
    folder = tmp_path / "drawn"
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


def converted(data, out, *more):
    assert run(["convert-data", str(data), str(out), "--quiet", *more]) == 0
    return open_data(out)


@pytest.mark.parametrize("split", [None, "train", "val"])
def test_photos_and_labels_come_back_as_they_were(drawn, tmp_path, split):
    converted(drawn, tmp_path / "out")
    before, after = open_data(drawn, split), open_data(tmp_path / "out", split)
    assert after.names == before.names
    assert after.classes == before.classes
    assert after.palette == before.palette
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.image, other.image)


def test_scenes_keep_their_test_split(tmp_path):
    converted("scenes:5@16x16", tmp_path / "out")
    for split in ("train", "val", "test"):
        before = open_data("scenes:5@16x16", split)
        after = open_data(tmp_path / "out", split)
        assert after.names == before.names
        for one, other in zip(before, after, strict=True):
            assert np.array_equal(one.labels, other.labels)


def test_masks_are_indexed_with_the_colours_of_the_classes(drawn, tmp_path):
    data = converted(drawn, tmp_path / "out")
    mask = Image.open(tmp_path / "out" / "masks" / "ü.png")
    assert mask.mode == "P"
    assert tuple(mask.getpalette()[3:6]) == data.palette[1]
    assert mask.getpalette()[-3:] == [224, 224, 192]


def test_classes_and_lists_are_text(drawn, tmp_path):
    converted(drawn, tmp_path / "out")
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


def test_two_classes_with_void_stay_two_classes(tmp_path):
    """Masks of 0 and 255 only look like a binary data set."""
    (tmp_path / "set" / "images").mkdir(parents=True), (tmp_path / "set" / "masks").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "set" / "images" / "a.png")
    Image.fromarray(np.array([[0, 0, 255, 255]] * 3, np.uint8)).save(
        tmp_path / "set" / "masks" / "a.png"
    )
    (tmp_path / "set" / "classes.txt").write_text("0 other\n1 road\n255 void\n")
    data = converted(tmp_path / "set", tmp_path / "out")
    assert np.unique(data[0].labels).tolist() == [0, 255]


def test_the_result_for_programs(drawn, tmp_path, capsys):
    data = converted(drawn, tmp_path / "out", "--json", str(tmp_path / "result.json"))
    result = json.loads((tmp_path / "result.json").read_text())
    counts = np.bincount(np.concatenate([one.labels.ravel() for one in data]), minlength=256)
    assert result["photos"] == 4
    assert result["splits"] == {"train": 3, "val": 1}
    assert list(result["pixels"].values()) == counts[:3].tolist()
    assert result["void"] == counts[255] > 0
    assert "4 images (3 train, 1 val), 3 classes" in capsys.readouterr().out


def test_nothing_is_overwritten(drawn, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    converted(drawn, tmp_path / "out")
    before = (tmp_path / "out" / "classes.txt").stat()
    assert run(["convert-data", str(drawn), str(tmp_path / "out")]) == 74
    assert "exists and is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "out" / "classes.txt").stat() == before


def test_a_bad_record_leaves_nothing(drawn, tmp_path, capsys):
    (drawn / "ü.json").write_text("{")
    assert run(["convert-data", str(drawn), str(tmp_path / "out")]) == 2
    assert "ü.json: broken JSON" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["drawn"]


def test_a_folder_in_the_making_is_not_seen(tmp_path):
    with building(tmp_path / "out") as folder:
        (folder / "a").write_text("x")
        assert not (tmp_path / "out").exists()
    assert os.listdir(tmp_path) == ["out"]
    with pytest.raises(OutputError), building(tmp_path / "out"):
        pytest.fail("it is never overwritten")
    with pytest.raises(OutputError), building(tmp_path / "out" / "a" / "b"):
        pytest.fail("a file is in the way")


@pytest.mark.parametrize("more", [(), ("--splits-only",)])
def test_json_on_standard_output_stands_alone(drawn, tmp_path, capsys, more):
    assert run(["convert-data", str(drawn), str(tmp_path / "out"), "--json", "-", *more]) == 0
    values = json.loads(capsys.readouterr().out)
    assert ("train" in values) if more else (values["photos"] == 4)


def test_lists_are_told_with_their_share(tmp_path, capsys):
    assert run(["convert-data", "scenes:10@16x16", str(tmp_path / "out"), "--splits-only"]) == 0
    said = capsys.readouterr().out
    assert sum(int(part) for part in re.findall(r"[(](\d+) %[)]", said)) in (99, 100, 101)
