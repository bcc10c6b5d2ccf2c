"""One rule for 255 in masks and predictions: declared, or shown by the masks, or refused."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run
from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.data.labels.ignore_value import OPEN, meaning_of_255
from fullconv.errors import DataError, LabelError
from fullconv.evaluation.evaluate import summarize
from fullconv.evaluation.scored_samples import score_prediction_files
from fullconv.io.palettes import VOID

TWO, THREE = ("a", "b"), ("a", "b", "c")


def meaning(numbers, classes, *masks):
    return dict(meaning_of_255(numbers, classes, [set(mask) for mask in masks], "x").numbers)


@pytest.mark.parametrize(
    ("numbers", "classes", "masks", "expected"),
    [
        ({0: 0, 1: 1}, TWO, [{0, 255}], {0: 0, 255: 1}),
        ({0: 0, 1: 1}, TWO, [{0, 255}, {255}, {0}], {0: 0, 255: 1}),
        ({0: 0, 1: 1}, TWO, [{0, 1}, {0}], {0: 0, 1: 1}),
        ({0: 0, 1: 1}, TWO, [{0, 1}, {1, 255}, {0, 255}], {0: 0, 1: 1, 255: VOID}),
        ({0: 0, 1: 1, 2: 2}, THREE, [{0, 1}, {0, 255}, {255}], {0: 0, 1: 1, 2: 2, 255: VOID}),
        ({0: 0, 1: 1, 2: 2}, THREE, [{0}], {0: 0, 1: 1, 2: 2}),
        ({0: VOID, 1: 0, 2: 1}, TWO, [{0, 1, 255}], {0: VOID, 1: 0, 2: 1, 255: VOID}),
        ({1: 0, 2: 1}, TWO, [{2, 255}], {1: 0, 2: 1, 255: VOID}),
        ({0: 0, 128: 1}, TWO, [{0, 128}], {0: 0, 128: 1}),
        ({0: 0}, ("a",), [{0}], {0: 0}),
        # Undeclared values are errors of their own, and 255 is one of them.
        ({0: 0, 1: 1, 2: 2}, THREE, [{0, 128, 255}], {0: 0, 1: 1, 2: 2}),
    ],
)
def test_what_255_means(numbers, classes, masks, expected):
    assert meaning(numbers, classes, *masks) == expected


@pytest.mark.parametrize(
    ("numbers", "classes", "masks", "shown"),
    [
        ({0: 0}, ("a",), [{0, 255}], "only 0 and 255 for 1 class"),
        ({0: 0}, ("a",), [{255}], "only 255 for 1 class"),
        ({0: 0, 1: 1}, TWO, [{255}, {255}], "only 255 for 2 classes"),
        ({0: 0, 1: 1}, TWO, [{0, 1}, {0, 255}], "0, 1 and 255 for 2 classes"),
        ({0: 0, 1: 1, 2: 2}, THREE, [{0, 255}, {0}], "only 0 and 255 for 3 classes"),
        ({0: 0, 128: 1}, TWO, [{0, 128, 255}], "0, 128 and 255 for 2 classes"),
        ({7: 0, 11: 1, 13: 2}, THREE, [{7, 11, 255}], "7, 11 and 255"),
        ({0: VOID, 1: 0, 2: 1}, TWO, [{0, 255}], "only 0 and 255"),
    ],
)
def test_an_open_meaning_is_an_error(numbers, classes, masks, shown):
    with pytest.raises(DataError, match=f'the masks hold {shown}.*"255 void"') as caught:
        meaning(numbers, classes, *masks)
    assert caught.value.code == OPEN


def folder_of(place, masks, declared=None):
    for number, mask in enumerate(masks):
        for name in ("images", "masks"):
            (place / name).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (*mask.shape[:2], 3), np.uint8)
        Image.fromarray(noise).save(place / "images" / f"{number}.png")
        Image.fromarray(np.asarray(mask, np.uint8)).save(place / "masks" / f"{number}.png")
    if declared:
        (place / "classes.txt").write_text(declared)
    return place


def blocks(*values, size=(6, 8), seed=0):
    return np.random.default_rng(seed).choice(np.array(values, np.uint8), size)


def binary(count=5, **options):
    return [blocks(0, 255, seed=seed, **options) for seed in range(count)]


OPEN_SETS = {
    "one class": (binary(), "crack\n"),
    "wholly 255": ([np.full((6, 8), 255, np.uint8)] * 4, "a\nb\n"),
    "three classes": (binary(), "a\nb\nc\n"),
    "mixed": ([*binary(2), blocks(0, 1), blocks(0, 1, seed=9)], "a\nb\n"),
    "mixed, undeclared": ([*binary(2), blocks(0, 1)], None),
    "grey levels": ([blocks(0, 128, 255, seed=s) for s in range(4)], "0 a\n128 b\n"),
}


@pytest.mark.parametrize("what", OPEN_SETS)
def test_open_data_sets_are_refused_by_train_and_reported_by_check(tmp_path, capsys, what):
    folder = folder_of(tmp_path / "data", *OPEN_SETS[what])
    with pytest.raises(DataError, match="open whether 255 is a class or ignored"):
        open_data(folder)
    assert run(["train", str(folder), "--out", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert '"255 void"' in error and "Traceback" not in error
    assert run(["check", str(folder), "--out", str(tmp_path / "runs")]) == 4
    text = capsys.readouterr().out
    assert "255 in masks" in text and "open: a class, or ignored" in text
    assert text.count("ERROR") == 1 and '"255 void"' in text


@pytest.mark.parametrize(
    ("masks", "declared", "rule"),
    [
        (binary(), "a\nb\n", "the class 'b', since the masks hold only 0 and 255"),
        (binary(), None, "the class 'foreground', since"),
        (binary(), "0 a\n1 b\n255 void\n", "ignored, as declared"),
        (binary(), "0 a\n255 b\n", "the class 'b', as declared"),
        ([blocks(0, 1, 255)] * 2, "a\nb\n", "ignored, as in masks of class numbers"),
        ([blocks(0, 1)] * 2, "a\nb\n", "not in the masks that were sampled"),
    ],
)
def test_check_says_what_255_means(tmp_path, capsys, masks, declared, rule):
    folder = folder_of(tmp_path / "data", masks, declared)
    run(["check", str(folder), "--out", str(tmp_path / "runs")])
    (line,) = (
        line for line in capsys.readouterr().out.splitlines() if line.startswith("255 in masks")
    )
    assert rule in line


def test_a_mask_that_contradicts_the_sample_is_an_error(tmp_path):
    masks = [blocks(0, 1, seed=seed) for seed in range(30)]
    ranked = sorted(range(30), key=lambda n: sha256(f"{n}.png".encode()).digest())
    masks[ranked[-1]] = blocks(0, 255)
    data = open_data(folder_of(tmp_path, masks, "a\nb\n"))
    with pytest.raises(LabelError, match=r'the value 255 .*"255 NAME" for a class or "255 void"'):
        data[data.names.index(str(ranked[-1]))]
    found = [f for f in examine(str(tmp_path), workers=1).findings if f.severity == "error"]
    assert [(f.code, f.file) for f in found] == [("value-outside", f"masks/{ranked[-1]}.png")]


def test_grey_levels_are_listed_with_255(tmp_path):
    folder = folder_of(tmp_path, [blocks(0, 128, 255)])
    with pytest.raises(DataError, match='0 NAME / 128 NAME / 255 NAME, or "255 void"'):
        open_data(folder)
    (folder / "classes.txt").write_text("0 a\n128 b\n255 c\n")
    assert set(np.unique(open_data(folder)[0].labels)) == {0, 1, 2}


def test_the_rule_holds_in_vocs_layout(tmp_path):
    for place in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / place).mkdir(parents=True)
    for number, mask in enumerate(binary(3)):
        Image.new("RGB", (8, 6)).save(tmp_path / "JPEGImages" / f"{number}.jpg")
        Image.fromarray(mask).save(tmp_path / "SegmentationClass" / f"{number}.png")
    (tmp_path / "ImageSets" / "Segmentation" / "train.txt").write_text("0\n1\n2\n")
    with pytest.raises(DataError, match="only 0 and 255 for 21 classes"):
        open_data(tmp_path)
    (tmp_path / "labelmap.txt").write_text("bg:0,0,0::\ncrack:250,50,83::\n")
    data = open_data(tmp_path)
    assert np.array_equal(data[0].labels, binary(3)[0] // 255)


def score(data, folder):
    return summarize(score_prediction_files(folder, data), data, "")


SETS = {
    "0 and 255": (binary(), "a\nb\n"),
    "declared 0 and 255": (binary(), "0 a\n255 b\n"),
    "0 and 255, undeclared": (binary(), None),
    "0 and 1": ([blocks(0, 1, seed=s) for s in range(4)], "a\nb\n"),
    "ignored": ([blocks(0, 1, 255, seed=s) for s in range(4)], "a\nb\n"),
    "grey levels": ([blocks(0, 128, 255, seed=s) for s in range(4)], "0 a\n128 b\n255 c\n"),
    "from 1": ([blocks(1, 2, 3, seed=s) for s in range(4)], "1 a\n2 b\n3 c\n"),
    "ids": ([blocks(7, 8, 26, seed=s) for s in range(4)], "7 a\n8 b\n26 c\n"),
    "three": ([blocks(0, 1, 2, 255, seed=s) for s in range(4)], "a\nb\nc\n"),
}


@pytest.mark.parametrize("what", SETS)
def test_the_masks_of_a_data_set_are_perfect_predictions(tmp_path, what):
    folder = folder_of(tmp_path, *SETS[what])
    found = score(open_data(folder), folder / "masks")
    assert found.mean_iou == found.pixel_accuracy == 1
    assert found.share_without_prediction == 0


@pytest.mark.parametrize("what", SETS)
def test_class_numbers_are_perfect_predictions(tmp_path, what):
    folder = folder_of(tmp_path / "data", *SETS[what])
    data = open_data(folder)
    (tmp_path / "found").mkdir()
    for sample in data:
        Image.fromarray(sample.labels).save(tmp_path / "found" / f"{sample.name}.png")
    assert score(data, tmp_path / "found").mean_iou == 1


@pytest.mark.parametrize(
    ("declared", "truth", "found", "shown"),
    [
        ("a\nb\n", blocks(0, 1), blocks(0, 255), "0, 255"),
        ("a\nb\n", blocks(0, 1), np.full((6, 8), 255), "only 255"),
        ("a\nb\n255 void\n".replace("a", "0 a").replace("b", "1 b"), blocks(0, 1, 255),
         blocks(0, 255), "0, 255"),
        ("a\nb\nc\n", blocks(0, 1, 2), blocks(0, 255), "0, 255"),
    ],
)  # fmt: skip
def test_predictions_whose_255_is_open_are_refused(tmp_path, declared, truth, found, shown):
    folder = folder_of(tmp_path / "data", [truth], declared)
    folder_of(tmp_path / "found", [found])
    with pytest.raises(DataError, match=f"predictions hold {shown}, so it is open") as caught:
        score(open_data(folder), tmp_path / "found" / "masks")
    assert caught.value.code == OPEN


FITS_BOTH = {
    "1 a\n2 b\n3 c\n": blocks(1, 2),
    "1 a\n2 b\n4 c\n": blocks(2, 1),
    "0 x\n2 a\n3 b\n7 c\n": blocks(0, 2, 3, 255),
}


@pytest.mark.parametrize("declared", FITS_BOTH)
def test_numbers_that_are_classes_either_way_are_refused(tmp_path, declared):
    numbers = [int(line.split()[0]) for line in declared.splitlines()]
    folder = folder_of(tmp_path / "data", [blocks(*numbers)], declared)
    folder_of(tmp_path / "found", [FITS_BOTH[declared]])
    with pytest.raises(DataError, match=r"numbers of classes and values of the masks: \d is the"):
        score(open_data(folder), tmp_path / "found" / "masks")


@pytest.mark.parametrize(
    ("declared", "found", "rule"),
    [
        ("1 a\n2 b\n3 c\n", blocks(0, 1, 2), "class numbers, 0 to 2"),
        ("1 a\n2 b\n3 c\n", blocks(1, 2, 3), "the values of the masks"),
        ("0 a\n1 b\n2 c\n", blocks(1, 2), "class numbers, 0 to 2"),  # and of the masks
        ("0 a\n1 b\n5 c\n", blocks(0, 1), "class numbers, 0 to 2"),
        ("a #ff0000\nb #00ff00\n", np.array([(255, 0, 0), (0, 255, 0)])[blocks(0, 1)], "the col"),
    ],
)
def test_how_predictions_are_read_is_told(tmp_path, capsys, declared, found, rule):
    numbers = [int(n) for n in (line.split()[0] for line in declared.splitlines()) if n.isdigit()]
    folder = folder_of(tmp_path / "data", [blocks(*numbers or (0, 1))], declared)
    folder_of(tmp_path / "found", [found])
    options = ["--predictions", str(tmp_path / "found" / "masks"), "--split", "all"]
    options += ["--out", str(tmp_path / "runs")]
    assert run(["evaluate", str(folder), *options]) == 0
    assert f"read as {rule}" in capsys.readouterr().out


def test_predictions_of_two_encodings_are_refused(tmp_path):
    folder = folder_of(tmp_path / "data", [blocks(0, 1, seed=s) for s in range(2)], "a\nb\n")
    folder_of(tmp_path / "found", [blocks(0, 1), blocks(0, 255)])
    with pytest.raises(DataError, match="predictions hold 0, 1, 255, so it is open"):
        score(open_data(folder), tmp_path / "found" / "masks")


def test_the_share_without_a_prediction_is_always_told(tmp_path, capsys):
    truth = np.zeros((4, 4), np.uint8)
    truth[2:], truth[0, 0] = 1, VOID
    found = truth.copy()
    found[2, :3], found[0, 0] = VOID, VOID
    folder = folder_of(tmp_path / "data", [truth], "a\nb\n")
    folder_of(tmp_path / "found", [found])
    data = open_data(folder)
    result = score(data, tmp_path / "found" / "masks")
    assert result.share_without_prediction == 3 / 15
    assert result.to_dict()["share_without_prediction"] == 3 / 15
    options = ["--predictions", str(tmp_path / "found" / "masks"), "--split", "all"]
    options += ["--out", str(tmp_path / "runs")]
    assert run(["evaluate", str(folder), *options]) == 0
    assert "pixels without a prediction: 20.0 %" in capsys.readouterr().out
    assert run(["evaluate", str(folder), *options, "--quiet"]) == 0
    assert "pixels without a prediction: 20.0 %" in capsys.readouterr().out


def test_the_rule_holds_in_roboflows_layout(tmp_path):
    for number, mask in enumerate(binary(3)):
        (tmp_path / "train").mkdir(exist_ok=True)
        Image.new("RGB", (8, 6)).save(tmp_path / "train" / f"{number}.jpg")
        Image.fromarray(mask).save(tmp_path / "train" / f"{number}_mask.png")
    table = tmp_path / "train" / "_classes.csv"
    table.write_text("Pixel Value, Class\n0, background\n")
    with pytest.raises(DataError, match="only 0 and 255 for 1 class"):
        open_data(tmp_path)
    table.write_text("Pixel Value, Class\n0, background\n1, crack\n")
    assert np.array_equal(open_data(tmp_path)[0].labels, binary(3)[0] // 255)
