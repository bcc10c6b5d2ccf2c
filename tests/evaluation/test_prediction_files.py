"""Predictions of other software, in their usual forms."""

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from fullconv.errors import DataError
from fullconv.evaluation.prediction_files import find_prediction_files
from fullconv.evaluation.prediction_values import PredictionReader
from fullconv.io.images import write_image, write_labels
from fullconv.io.palettes import VOID_COLOR, colorize
from fullconv.io.visible import mark_results


@pytest.fixture(scope="module")
def data():
    return fc.open_data("scenes:15@20x24", "val")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def found(folder, *names):
    return {
        name: str(path.relative_to(folder))
        for name, path in find_prediction_files(folder, names).items()
    }


def test_names_with_folders_or_without(tmp_path):
    touch(tmp_path, "x/a.png", "y/a.png", "deep/b.PNG", "c.tif", "notes.txt")
    assert found(tmp_path, "x/a", "b", "city/c") == {
        "x/a": "x/a.png",
        "b": "deep/b.PNG",
        "city/c": "c.tif",
    }
    with pytest.raises(DataError, match=r"2 predictions for a, such as .*x/a.png and .*y/a.png"):
        find_prediction_files(tmp_path, ["a"])


def test_hidden_files_are_no_predictions(tmp_path):
    touch(tmp_path, "a.png", "._a.png", ".old/a.png", "@eaDir/a.png/a.png", "__MACOSX/a.png")
    assert found(tmp_path, "a") == {"a": "a.png"}


def test_predictions_of_several_jobs_in_one_folder_are_found(tmp_path):
    touch(tmp_path, "first/labels/a.png", "second/labels/b.png")
    for job in ("first", "second"):
        mark_results(tmp_path / job)
    assert found(tmp_path, "a", "b") == {"a": "first/labels/a.png", "b": "second/labels/b.png"}


def test_samples_of_subfolders_are_found_in_the_same_folders_or_in_one(tmp_path):
    touch(tmp_path / "same", "x/a.png", "x/deep/b.png", "y/a_pred.png")
    assert found(tmp_path / "same", "x__a", "x__deep__b", "y__a") == {
        "x__a": "x/a.png",
        "x__deep__b": "x/deep/b.png",
        "y__a": "y/a_pred.png",
    }
    touch(tmp_path / "one", "a.png", "c__b.png", "d_pred.png")
    expected = {"x__a": "a.png", "x__c__b": "c__b.png", "x__d": "d_pred.png"}
    assert found(tmp_path / "one", *expected) == expected
    with pytest.raises(DataError, match="no prediction for 2 of 2 samples"):
        find_prediction_files(tmp_path / "one", ["x__a", "y__a"])  # of which is a.png?


def test_two_files_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "a.png", "a.bmp")
    with pytest.raises(DataError, match=r"2 predictions for a, such as .*a.bmp and .*a.png"):
        find_prediction_files(tmp_path, ["a"])


def test_file_names_with_a_suffix(tmp_path):
    touch(tmp_path, "a_pred.png", "a_2.png", "ab.png", "b.v1.png", "b.v2.png")
    assert found(tmp_path, "a", "a_2", "ab") == {
        "a": "a_pred.png",
        "a_2": "a_2.png",
        "ab": "ab.png",
    }
    with pytest.raises(DataError, match=r"2 predictions for b, such as b.v1.png and b.v2.png"):
        find_prediction_files(tmp_path, ["b"])


def test_missing_predictions_are_counted(tmp_path):
    touch(tmp_path, "a.png", "b.jpg")
    with pytest.raises(DataError, match=r"no prediction for 2 of 3 .* b.png; .*JPEG changes"):
        find_prediction_files(tmp_path, ["a", "b", "c"])
    with pytest.raises(DataError, match="no such folder"):
        find_prediction_files(tmp_path / "lost", ["a"])


def read(data, path):
    return PredictionReader(data)(path, (20, 24))


def test_class_numbers_and_colours_read_equal(data, tmp_path):
    labels = data[0].labels.copy()
    labels[:3] = 255
    write_labels(tmp_path / "indexed.png", labels, data.palette)
    Image.fromarray(labels).save(tmp_path / "grey.png")
    Image.fromarray(labels.astype(np.uint16)).save(tmp_path / "deep.png")
    write_image(tmp_path / "thrice.png", np.repeat(labels[..., None], 3, 2))
    write_image(tmp_path / "colours.png", colorize(labels, data.palette))
    assert (colorize(labels, data.palette)[0, 0] == VOID_COLOR).all()
    for path in tmp_path.iterdir():
        assert (read(data, path) == labels).all(), path


def test_values_that_are_not_a_class_are_refused(data, tmp_path):
    labels = data[0].labels.copy()
    labels[0, :5] = 33
    Image.fromarray(labels).save(tmp_path / "ids.png")
    with pytest.raises(DataError, match=r"ids.png: the value 33 \(5 pixels\) .*expected the class"):
        read(data, tmp_path / "ids.png")
    colors = colorize(data[0].labels, data.palette)
    colors[0, :7] = (1, 2, 3)
    write_image(tmp_path / "colours.png", colors)
    with pytest.raises(DataError, match=r"colours.png: the colour #010203 \(7 pixels\)"):
        read(data, tmp_path / "colours.png")


def test_another_size_is_reported_as_height_and_width(data, tmp_path):
    write_image(tmp_path / "a.png", np.zeros((24, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"a.png: 24 x 20 pixels .* the labels have 20 x 24"):
        read(data, tmp_path / "a.png")
