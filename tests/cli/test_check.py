"""The command check: findings, report, settings, exit codes."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from faulty_datasets import build, clip, rewrite, swapped
from fullconv.cli import run
from fullconv.config import RunConfig
from fullconv.io.settings_file import read_settings


@pytest.fixture
def photos(tmp_path):
    return build("folders", tmp_path / "photos")


def check(data, *options):
    return run(["check", str(data.folder), "--out", str(data.folder.parent / "runs"), *options])


def test_a_clean_set_exits_with_0_and_writes_the_report(photos, capsys):
    assert check(photos) == 0
    text = capsys.readouterr().out
    assert "No problems found." in text
    assert "train 14, val 6" in text
    assert re.search(r"in [\d.]+ s: \d+/s", text)
    assert "FCN-32s" in text
    page = (photos.folder.parent / "runs/check/photos-001/report.html").read_text()
    assert "No problems found." in page
    assert "http" not in page.replace("http-equiv", "")


def test_an_error_exits_with_4_and_names_the_file(photos, capsys):
    rewrite(photos.mask("val", 1), swapped(2, 9))
    assert check(photos, "--quiet") == 4
    text = capsys.readouterr().out
    assert "ERROR  masks/val/fotö_015.png: the value 9 (" in text
    assert 'add "9 NAME"' in text
    assert "1 error." in text
    page = (photos.folder.parent / "runs/check/photos-001/report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2  # the image and the mask


def test_rasterized_labels_are_shown_next_to_their_image(tmp_path):
    data = build("yolo", tmp_path / "shapes")
    data.mask("train", 3).write_text("")
    assert check(data) == 0
    page = (tmp_path / "runs/check/shapes-001/report.html").read_text()
    assert "every pixel is" in page
    assert page.count("data:image/jpeg;base64,") == 2


def test_findings_of_one_kind_are_abbreviated(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 9))
    assert check(photos) == 4
    text = capsys.readouterr().out
    assert text.count("ERROR") == 5
    assert "and 3 more of this kind" in text


def test_json_has_all_findings(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 9))
    assert check(photos, "--json", "-") == 4
    values = json.loads(capsys.readouterr().out)
    assert len(values["findings"]) == 8
    assert {"code", "severity", "file", "found", "expected", "remedy", "other"} == set(
        values["findings"][0]
    )
    assert [entry["name"] for entry in values["classes"]] == ["background", "road", "tree", "car"]
    assert set(values["advice"]["bounds"]) == {*("fcn32s", "fcn16s", "fcn8s", "fcn4s", "fcn2s")}


def test_a_single_split_is_checked(photos, capsys):
    assert check(photos, "--split", "val") == 0
    assert "val 6" in capsys.readouterr().out
    assert check(photos, "--split", "dev") == 0  # another name of val
    assert check(photos, "--split", "nothing") == 2


def test_augment_draws_a_row_per_image(photos, capsys):
    assert check(photos, "--augment", "3") == 0
    sheet = photos.folder.parent / "runs/check/photos-001/augmentation.png"
    rows, legend = 3 * (180 + 6 + 20), 32  # pictures with names
    assert np.asarray(Image.open(sheet)).shape[0] == rows + legend
    assert f"{sheet}: 3 images" in capsys.readouterr().out


def test_augment_uses_the_given_settings(photos, tmp_path):
    folder = photos.folder.parent / "runs/check"
    (tmp_path / "rotated.yaml").write_text("rotate: 170\nflip: false\njitter: 0\nzoom: [1, 1]\n")
    assert check(photos, "--augment", "2") == 0
    assert check(photos, "--augment", "2", "--config", str(tmp_path / "rotated.yaml")) == 0
    plain, rotated = (
        np.asarray(Image.open(folder / f"photos-00{n}/augmentation.png")) for n in (1, 2)
    )
    rows = slice(0, 2 * 206)
    assert (plain[rows, :480] == rotated[rows, :480]).all()  # the originals with their labels
    assert (plain[:, 490:900] != rotated[:, 490:900]).any()
    (tmp_path / "wrong.yaml").write_text("rotate: 999\n")
    assert check(photos, "--augment", "2", "--config", str(tmp_path / "wrong.yaml")) == 2


def test_ignored_findings_do_not_fail(photos, capsys):
    rewrite(photos.mask("val", 1), swapped(2, 9))
    assert check(photos, "--ignore", "value-outside", "--ignore", "damaged") == 0
    text = capsys.readouterr().out
    assert "No other findings. 1 ignored." in text
    assert "note   --ignore damaged matches no finding" in text
    rewrite(photos.mask("val", 2), swapped(2, 9))
    first = "masks/val/fotö_015.png"
    assert check(photos, "--ignore", first, "--json", "-") == 4
    values = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in values["ignored"]] == [first]
    assert [entry["file"] for entry in values["findings"]] == ["masks/val/fotö_016.png"]


def test_written_settings_are_valid_and_explained(photos, tmp_path, capsys):
    target = tmp_path / "settings.yaml"
    assert check(photos, "--write-config", str(target)) == 0
    assert f"fullconv train --config {target}" in capsys.readouterr().out
    config = RunConfig.checked(**read_settings(target))
    assert config.data == str(photos.folder)
    assert config.model.startswith("fcn4s-") and config.balance == "none"
    lines = target.read_text().splitlines()
    reasons = [before for before, line in pairwise(lines) if re.match(r"\w+:", line)]
    assert len(reasons) == 2 and all(reason.startswith("# ") for reason in reasons)
    assert check(photos, "--write-config", str(target)) == 2
    assert "the file exists; delete it" in capsys.readouterr().err


def test_written_settings_handle_rare_classes_and_shared_clips(photos, tmp_path):
    photos.masks(lambda raw: np.where(raw == 3, 2, raw).astype(np.uint8))
    for index in range(14):
        rewrite(photos.mask("train", index), one_pixel)
    rewrite(photos.mask("val", 1), one_pixel)
    clip(photos)
    for path in [*photos.folder.rglob("clip_01[4-9].*")]:  # a second clip
        path.rename(path.with_name(path.name.replace("clip", "way")))
    target = tmp_path / "settings.yaml"
    assert check(photos, "--write-config", str(target)) == 0
    config = RunConfig.checked(**read_settings(target))
    assert config.data == f"{photos.folder}?group-by=clip"
    assert config.balance == "sqrt-inv"  # median frequency: 1 pixel of 3072 would weigh 700
    assert "Rare classes in train: car 0.03 %" in target.read_text()


def one_pixel(raw):
    raw[30, 30] = 3
    return raw


def test_a_missing_data_set_is_a_mistake(tmp_path, capsys):
    assert run(["check", str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 2
    assert "there is no data" in capsys.readouterr().err


def test_file_names_are_not_interpreted_as_markup(photos, capsys):
    path = photos.mask("train", 2)
    photo = photos.photo("train", 2)
    rewrite(path, swapped(1, 9))
    path.rename(path.with_name("a [red]:x: b.png"))
    photo.rename(photo.with_name("a [red]:x: b.jpg"))
    assert check(photos) == 4
    assert "ERROR  masks/train/a [red]:x: b.png: the value 9" in capsys.readouterr().out


def test_an_incomplete_data_set_has_no_empty_facts(tmp_path, capsys):
    assert run(["check", f"voc:{tmp_path}", "--out", str(tmp_path / "runs")]) == 4
    text = capsys.readouterr().out
    assert "format  voc" in text and "images" not in text.partition("ERROR")[0]
    assert "expected ImageSets/Segmentation, JPEGImages and SegmentationClass" in text


def test_the_split_rule_is_printed(tmp_path, capsys):
    data = build("folders", tmp_path / "clips")
    clip(data)
    for path in [*data.folder.rglob("clip_01[4-9].*")]:
        path.rename(path.with_name(path.name.replace("clip", "way")))
    assert run(["check", f"{data.folder}?group-by=clip", "--out", str(tmp_path / "runs")]) == 0
    assert "train 14, val 6 (by groups: clip)" in capsys.readouterr().out
