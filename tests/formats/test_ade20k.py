import csv

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from fullconv.errors import DataError, LabelError
from fullconv.formats import open_data, recognise
from fullconv.sample import VOID


@pytest.fixture
def challenge(tmp_path):
    folder = tmp_path / "ADEChallengeData2016"
    for split, short, count in (("training", "train", 2), ("validation", "val", 1)):
        for number in range(count):
            stem = f"ADE_{short}_{number:08}"
            photo = folder / "images" / split / f"{stem}.jpg"
            mask = folder / "annotations" / split / f"{stem}.png"
            for path, pixels in (
                (photo, np.zeros((1, 4, 3), np.uint8)),
                (mask, np.array([[0, 1, 2, 150]], np.uint8)),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return folder


def test_0_is_void_and_1_is_the_first_class(challenge):
    assert recognise(challenge) == "ade20k"
    data = open_data(challenge, "train")
    assert data[0].labels.tolist() == [[VOID, 0, 1, 149]]
    assert data.names == ("ADE_train_00000000", "ADE_train_00000001")
    assert len(open_data(challenge)) == 3
    assert len(open_data(f"ade20k:{challenge.parent}", "val")) == 1


def test_names_and_colours_are_the_benchmarks(challenge, shared):
    folder = shared("formats") / "ade20k_sceneparse"
    rows = list(csv.DictReader((folder / "object150_info.csv").read_text().splitlines()))
    data = open_data(challenge)
    assert len(data.classes) == len(set(data.classes)) == 150
    for name, row in zip(data.classes, rows, strict=True):
        # The table has a semicolon for a blank, too.
        assert row["Name"].lower().startswith(name.replace(" ", ";"))
    assert np.array_equal(data.palette, loadmat(folder / "color150.mat")["colors"])


def test_a_value_above_150_is_an_error(challenge):
    mask = next((challenge / "annotations" / "validation").iterdir())
    Image.fromarray(np.array([[0, 151, 2, 150]], np.uint8)).save(mask)
    with pytest.raises(LabelError, match=r"the value 151 \(1 pixels\).*0 to 150"):
        open_data(challenge, "val")[0]


def test_a_photo_without_a_mask_is_named(challenge):
    next((challenge / "annotations" / "validation").iterdir()).unlink()
    with pytest.raises(DataError, match="1 of 1 names have no mask: ADE_val_00000000"):
        open_data(challenge, "val")
    with pytest.raises(DataError, match="no split 'test'; there are: train, val"):
        open_data(challenge, "test")


def test_the_full_release_is_refused_with_the_reason(tmp_path):
    place = tmp_path / "images" / "ADE" / "training" / "urban"
    place.mkdir(parents=True)
    with pytest.raises(DataError, match="ade20k expects images/training"):
        open_data(f"ade20k:{tmp_path}")
    Image.new("RGB", (2, 2)).save(place / "ADE_train_00000001_seg.png")
    with pytest.raises(DataError, match=r"over 3000 objects.*open ADEChallengeData2016"):
        open_data(f"ade20k:{tmp_path}")
