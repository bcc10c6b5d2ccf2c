import json

import numpy as np
import pytest
from PIL import Image

from faultysets import build, rewrite, swapped
from fullconv.commands import run


@pytest.fixture
def photos(tmp_path):
    return build("folders", tmp_path / "photos")


def check(made, *more):
    return run(["check", str(made.folder), "--out", str(made.folder.parent / "runs"), *more])


def test_a_clean_set_exits_with_0_and_writes_the_report(photos, capsys):
    assert check(photos) == 0
    said = capsys.readouterr().out
    assert "No findings: the data set is clean." in said
    assert "train 14, val 6" in said
    assert "a second" in said
    assert "FCN-32s" in said
    page = (photos.folder.parent / "runs/check/photos-001/report.html").read_text()
    assert "the data set is clean" in page
    assert "http" not in page.replace("http-equiv", "")


def test_an_error_exits_with_4_and_names_the_file(photos, capsys):
    rewrite(photos.mask("val", 1), swapped(2, 9))
    assert check(photos, "--quiet") == 4
    said = capsys.readouterr().out
    assert "ERROR  masks/val/fotö_015.png: the value 9 at" in said
    assert 'add "9 NAME"' in said
    assert "1 error." in said
    page = (photos.folder.parent / "runs/check/photos-001/report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2  # the photo and the mask


def test_many_of_one_kind_are_named_in_part(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 9))
    assert check(photos) == 4
    said = capsys.readouterr().out
    assert said.count("ERROR") == 5
    assert "and 3 more of this kind" in said


def test_json_has_all_of_it(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 9))
    assert check(photos, "--json", "-") == 4
    values = json.loads(capsys.readouterr().out)
    assert len(values["findings"]) == 8
    assert {"code", "severity", "file", "found", "expected", "remedy"} == set(values["findings"][0])
    assert [one["name"] for one in values["classes"]] == ["background", "road", "tree", "car"]
    assert set(values["advice"]["bounds"]) == {"fcn32s", "fcn16s", "fcn8s", "fcn4s"}


def test_one_split_alone(photos, capsys):
    assert check(photos, "--split", "val") == 0
    assert "val 6" in capsys.readouterr().out
    assert check(photos, "--split", "dev") == 0  # the same by another name
    assert check(photos, "--split", "nothing") == 2


def test_augment_draws_a_row_for_each_photo(photos, capsys):
    assert check(photos, "--augment", "3") == 0
    sheet = photos.folder.parent / "runs/check/photos-001/augmentation.png"
    assert np.asarray(Image.open(sheet)).shape[0] == 3 * (180 + 6)


def test_a_set_that_cannot_be_opened_is_an_error_too(tmp_path, capsys):
    assert run(["check", str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 2
    assert "there is no data" in capsys.readouterr().err
