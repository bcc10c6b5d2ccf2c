import csv
import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from fullconv.data.formats import inventory, open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID
from inventories import with_code


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


def test_all_files_without_a_partner_are_listed(challenge):
    clean = inventory(f"ade20k:{challenge}")
    assert {name: len(pairs) for name, pairs in clean.splits.items()} == {"train": 2, "val": 1}
    (challenge / "annotations" / "training" / "ADE_train_00000000.png").unlink()
    (challenge / "images" / "validation" / "ADE_val_00000000.jpg").unlink()
    stock = inventory(f"ade20k:{challenge}")
    assert [p.path.stem for p in with_code(stock, "mask-missing")] == ["ADE_train_00000000"]
    assert [p.path.stem for p in with_code(stock, "photo-missing")] == ["ADE_val_00000000"]
    assert [pair.name for pair in stock.splits["train"]] == ["ADE_train_00000001"]


def test_a_photo_without_a_mask_is_named(challenge):
    next((challenge / "annotations" / "validation").iterdir()).unlink()
    with pytest.raises(
        DataError,
        match=r"ADE_val_00000000\.jpg: a photo without a mask; expected a mask of the same stem",
    ):
        open_data(challenge, "val")
    with pytest.raises(NoSplitError, match="no split 'test'; there are: train, val"):
        open_data(challenge, "test")


def objects(path, numbers):
    """A mask that numbers objects as the release's own utilities read them."""
    pixels = [[(number // 256 * 10, number % 256, 7) for number in numbers]]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    photo = path.with_name(path.name.replace("_seg.png", ".jpg"))
    Image.fromarray(np.zeros((1, len(numbers), 3), np.uint8)).save(photo)


NAMES = {
    2978: "wall",
    401: "car, auto, automobile, machine, motorcar",
    774: "door",
    2836: "traffic light, traffic signal, stoplight",
    1000: "gargoyle",
}


@pytest.fixture
def full(tmp_path):
    for split, short in (("training", "train"), ("validation", "val")):
        street = tmp_path / "images" / "ADE" / split / "urban" / "street"
        objects(street / f"ADE_{short}_00000001_seg.png", [0, *NAMES])
        objects(street / f"ADE_{short}_00000001_parts_1.png", [0, *NAMES])
        records = [{"id": 0, "name": name, "name_ndx": n} for n, name in NAMES.items()]
        text = json.dumps({"annotation": {"object": records}})
        (street / f"ADE_{short}_00000001.json").write_text(text)
    return tmp_path


def test_the_full_release_has_the_benchmarks_classes_by_name(full):
    assert recognise(full) == "ade20k"
    data = open_data(full, "train")
    assert data.names == ("ADE_train_00000001",)
    assert len(open_data(full)) == 2
    named = [VOID if label == VOID else data.classes[label] for label in data[0].labels[0]]
    assert named == [VOID, "wall", "car", "door", "traffic light", VOID]


def test_the_full_release_has_the_classes_of_classes_txt(full):
    (full / "classes.txt").write_text("gargoyle #112233\ndoor #445566\n")
    data = open_data(full, "val")
    assert data.classes == ("gargoyle", "door")
    assert data.palette == ((0x11, 0x22, 0x33), (0x44, 0x55, 0x66))
    assert data[0].labels.tolist() == [[VOID, VOID, VOID, 1, VOID, 0]]


def test_an_object_without_a_name_is_an_error(full):
    street = full / "images" / "ADE" / "training" / "urban" / "street"
    objects(street / "ADE_train_00000001_seg.png", [401, 402, 402])
    with pytest.raises(LabelError, match=r"the object 402 \(2 pixels\) is not named in ADE_train"):
        open_data(full, "train")[0]
    (street / "ADE_train_00000001.json").unlink()
    with pytest.raises(
        DataError, match=r"the file ADE_train_00000001\.json of this mask is missing"
    ):
        open_data(full, "train")


def test_another_layout_is_refused(tmp_path):
    (tmp_path / "images" / "ADE" / "training" / "urban").mkdir(parents=True)
    with pytest.raises(DataError, match="not the layout of ade20k; expected images/training"):
        open_data(f"ade20k:{tmp_path}")
