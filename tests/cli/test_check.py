"""The command check: findings, report, settings, exit codes."""

import io
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from browser import check_page
from faulty_datasets import build, clip, rewrite, swapped
from fullconv.cli import _console, run
from fullconv.config import RunConfig
from fullconv.data.formats import open_data
from fullconv.io.settings_file import read_settings
from fullconv.training.choose_stride import choose_stride
from fullconv.training.recipes import with_recipe


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
    assert pictures(page) == (2, 12)  # the image and the mask


def test_rasterized_labels_are_shown_next_to_their_image(tmp_path):
    data = build("yolo", tmp_path / "shapes")
    data.mask("train", 3).write_text("")
    assert check(data) == 0
    page = (tmp_path / "runs/check/shapes-001/report.html").read_text()
    assert "every pixel is" in page
    assert pictures(page) == (2, 12)


def pictures(page):
    """Count the pictures of the findings, and the overlays."""
    findings, _, samples = page.partition("<h2>Samples</h2>")
    return tuple(part.count("data:image/jpeg;base64,") for part in (findings, samples))


def test_one_cause_is_one_error_with_its_first_files(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 9))
    rewrite(photos.mask("train", 8), swapped(2, 11))
    assert check(photos) == 4
    text = capsys.readouterr().out
    assert "ERROR  Mask values that are not a class (8)\n" in text
    assert text.count("ERROR") == 2 and text.count("the value 9") == 3
    assert "and 5 more, in the report" in text
    assert text.count('add "9 NAME"') == text.count('add "11 NAME"') == 1
    assert "2 errors (9 findings). Nothing was changed." in text
    page = (photos.folder.parent / "runs/check/photos-001/report.html").read_text()
    assert page.count("the value 9") == 8 and page.count("<details>") == 1


def test_many_causes_of_one_kind_are_counted(photos, capsys):
    for index in range(8):
        rewrite(photos.mask("train", index), swapped(2, 20 + index))
    assert check(photos) == 4
    text = capsys.readouterr().out
    assert text.count("ERROR") == 5 and "and 3 more causes of value-outside, in the report" in text
    assert "8 errors." in text


def test_the_best_stride_is_that_of_training_at_its_size(tmp_path, capsys):
    data = build("folders", tmp_path / "thin")
    data.masks(thin)
    for options, shown in (
        ([], " at 1.5 times the photos' size"),
        (["--size", "24x32"], "24 x 32"),
    ):
        assert check(data, *options, "--json", str(tmp_path / "found.json")) == 0
        values = json.loads((tmp_path / "found.json").read_text())
        used = values["training"]
        stride, reason = choose_stride(
            open_data(data.folder, "train"), used["size"] and tuple(used["size"]), used["scale"]
        )
        bound = 100 * values["advice"]["bounds"][f"fcn{stride}s"]["mean_iou"]
        sentence = values["advice"]["sentences"][0]
        assert sentence.endswith(f"choose FCN-{stride}s") and shown in sentence
        assert f"{bound:.1f} %" in sentence and f"{bound:.1f} %" in reason
    assert "larger photos are downscaled to fit 24 x 32 (--size)" in capsys.readouterr().out
    target = tmp_path / "settings.yaml"
    assert check(data, "--size", "24x32", "--write-config", str(target)) == 0
    assert RunConfig.checked(**read_settings(target)).size == (24, 32)
    assert check(data, "--size", "24") == 2


def thin(raw):
    raw[:] = 0
    raw[:, ::12] = raw[:, 1::12] = 1
    raw[20:40, 30:60] = 2
    raw[2:9, 30:60] = 3
    return raw


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
    (tmp_path / "plain.yaml").write_text("recipe: heavy\n")
    assert check(photos, "--augment", "2", "--config", str(tmp_path / "plain.yaml")) == 0
    heavy = np.asarray(Image.open(folder / "photos-003/augmentation.png"))[:180]
    first, *others = np.split(heavy, 4, axis=1)
    assert all((first == other).all() for other in others), "the recipe has no augmentation"
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
    settings = with_recipe(read_settings(target))
    assert settings["balance"] == settings["loss"] == "auto", "training decides, as without a file"


def one_pixel(raw):
    raw[30, 30] = 3
    return raw


def test_a_rare_class_that_train_lacks_has_no_weight(tmp_path, capsys):
    for split, number in (("train", 0), ("train", 1), ("val", 2)):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)
        labels = pixels[..., 0] % 2
        labels[:2, :4] = 2 if split == "val" else 0
        for place, values in (("images", pixels), ("masks", labels)):
            (tmp_path / place / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / place / split / f"{number}.png")
    (tmp_path / "classes.txt").write_text("sky\nroad\npole\n")
    run(["check", str(tmp_path), "--out", str(tmp_path / "runs")])
    (row,) = re.findall("pole +0[.]17 %.*", capsys.readouterr().out)
    assert row.split() == ["pole", "0.17", "%", "0", "1", "rare"]


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


@pytest.mark.parametrize(("rows", "severities"), [(0, []), (4, []), (9, ["many-ignored"])])
def test_the_share_of_ignored_pixels_is_printed(photos, tmp_path, capsys, rows, severities):
    def ignore(raw):
        raw = np.where(raw == 255, 0, raw).astype(np.uint8)
        raw[:rows] = 255
        return raw

    photos.masks(ignore)
    assert check(photos, "--json", str(tmp_path / "found.json")) == 0
    share = f"{100 * rows / 48:.1f} %"
    text = capsys.readouterr().out
    assert re.search(rf"^ignored pixels +{share}$", text, re.M)
    values = json.loads((tmp_path / "found.json").read_text())
    assert [f["code"] for f in values["findings"]] == severities
    assert (f"{share} of the pixels are ignored (255)" in text) is bool(severities)


def test_jpeg_masks_are_one_error_although_the_classes_are_unknown(photos, capsys):
    (photos.folder / "classes.txt").unlink()
    for split, index in photos.every():
        path = photos.mask(split, index)
        content = Image.open(path).convert("L")
        content.save(path, "JPEG")
    assert check(photos) == 4
    assert capsys.readouterr().out.count("ERROR") == 1


@pytest.mark.slow
def test_the_report_reads_well_in_a_browser(photos, browser):
    rewrite(photos.mask("val", 1), swapped(2, 9))
    assert check(photos, "--quiet") == 4
    check_page(browser, photos.folder.parent / "runs/check/photos-001/report.html")


def test_a_terminal_shows_long_lines_in_several_indented_ones(photos, monkeypatch):
    rewrite(photos.mask("val", 1), swapped(2, 9))
    stream = io.StringIO()
    settings = {"force_terminal": True, "color_system": None, "soft_wrap": True, "highlight": False}
    monkeypatch.setattr(_console, "console", Console(file=stream, width=60, **settings))
    assert check(photos) == 4
    lines = [line for line in stream.getvalue().splitlines() if "\x1b" not in line]
    remedy = next(number for number, line in enumerate(lines) if line.startswith("         ->"))
    assert lines[remedy + 1].startswith(12 * " ")
    assert max(len(line) for line in lines if "/" not in line) <= 60  # a path is not broken
