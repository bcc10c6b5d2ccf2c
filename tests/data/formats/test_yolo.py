import numpy as np
import pytest
from PIL import Image

from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError

SIZE = (20, 40)
SQUARE = "0.25 0.2 0.75 0.2 0.75 0.7 0.25 0.7"  # columns 10 to 30, rows 4 to 14
DATA = "path: /somewhere/else\ntrain: images/train\nval: images/val\nnames: [road, car]\n"


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE[::-1], (9, 8, 7)).save(path)


def sample(folder, split, stem, *lines):
    photo(folder / "images" / split / f"{stem}.png")
    if lines:
        path = folder / "labels" / split / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "yolo"
    sample(folder, "train", "a", f"0 {SQUARE}", "1 0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.6")
    sample(folder, "train", "b")
    sample(folder, "val", "c", f"1 {SQUARE}", "")
    (folder / "data.yaml").write_text(DATA)
    return folder


def one(folder, *lines):
    sample(folder, "", "a", *lines)
    (folder / "data.yaml").write_text("names:\n  0: road\n  1: car\n")
    return open_data(f"yolo:{folder}")[0]


def test_class_k_is_class_k_plus_1_and_0_is_background(folder):
    assert recognise(folder) == "yolo"
    data = open_data(folder, "train")
    assert data.classes == ("background", "road", "car")
    expected = np.zeros(SIZE, np.uint8)
    expected[4:14, 10:30] = 1
    expected[10:12, 20:24] = 2
    assert np.array_equal(data[0].labels, expected)
    assert data.read.read.painted(data.read.pairs[0]).hidden == {(1, 2): 8}


def test_a_photo_without_a_text_file_is_background(folder):
    assert open_data(folder, "train")[1].labels.max() == 0


def test_a_split_without_any_text_file_cannot_be_used(folder):
    (folder / "labels" / "val" / "c.txt").unlink()
    assert len(open_data(folder, "train")) == 2
    with pytest.raises(DataError, match="none of the 1 photo of val has a text file in labels/;"):
        open_data(folder, "val")


def test_splits_are_those_of_the_file(folder):
    assert open_data(folder, "train").names == ("train__a", "train__b")
    assert open_data(folder, "val").names == ("val__c",)
    assert len(open_data(folder)) == 3
    with pytest.raises(DataError, match="there are: train, val"):
        open_data(folder, "test")


@pytest.mark.parametrize(
    "splits", ["train: ../train/images\nval: ../valid/images\ntest: ../test/images", ""]
)
def test_roboflows_folders(tmp_path, splits):
    for split, stem in (("train", "a"), ("valid", "b")):
        photo(tmp_path / split / "images" / f"{stem}.png")
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{stem}.txt").write_text(f"0 {SQUARE}\n")
    (tmp_path / "data.yaml").write_text(f"{splits}\nnames: [road]\n")
    assert recognise(tmp_path) == "yolo"
    assert [one.labels.sum() for one in open_data(tmp_path, "val")] == [200]
    assert open_data(tmp_path, "train").names == ("train__a",)


def test_several_folders_may_be_one_split_and_the_rest_is_counted(tmp_path):
    for split, stem in (("train1", "a"), ("train2", "b"), ("val", "c"), ("more", "d"), ("", "e")):
        sample(tmp_path, split, stem, f"0 {SQUARE}")
    (tmp_path / "classes.txt").write_text("road\n")
    data = open_data(tmp_path, "train")
    assert data.names == ("train1__a", "train2__b")
    assert "2 samples left out, in no split: e, more__d" in data.warnings[0]
    assert open_data(tmp_path, "val").names == ("val__c",)


def test_lists_of_photos(folder):
    (folder / "train.txt").write_text("./images/val/c.png\n/their/disk/yolo/images/train/a.png\n")
    (folder / "data.yaml").write_text("train: train.txt\nval: images/val\nnames: [road, car]\n")
    assert open_data(f"yolo:{folder}", "train").names == ("train__a", "val__c")
    (folder / "train.txt").write_text("images/gone.png\n")
    with pytest.raises(DataError, match=r"train\.txt: there is no photo 'images/gone\.png'"):
        open_data(f"yolo:{folder}", "train")


def test_without_splits_the_split_follows_from_the_names(tmp_path):
    stems = [f"p{number}" for number in range(6)]
    for stem in stems:
        sample(tmp_path, "", stem, f"0 {SQUARE}")
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    data = open_data(tmp_path, "val")
    assert data.names == tuple(stems[index] for index in hash_split(stems)["val"])
    assert data.classes == ("background", "road", "car")


def test_folders_above_may_be_called_images_too(tmp_path):
    labels = one(tmp_path / "images" / "set", f"0 {SQUARE}").labels
    assert labels.sum() == 200


def test_an_own_background_is_class_0(tmp_path):
    sample(tmp_path, "", "a", f"1 {SQUARE}", "0 0 0 0.1 0 0.1 0.1 0 0.1", "2 0.5 0.3 1 0.3 1 0.4")
    (tmp_path / "data.yaml").write_text("names: [car, background, road]\n")
    data = open_data(tmp_path)
    assert data.classes == ("background", "car", "road")
    assert set(data[0].labels.ravel().tolist()) == {0, 1, 2}


def test_shapes_are_clipped_at_the_border(tmp_path):
    labels = one(tmp_path, "0 -0.1 -0.1 0.25 -0.1 0.25 1.02 -0.1 1.02").labels
    assert labels[:, :10].all()
    assert labels.sum() == 200


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2 0.3", "four numbers .* a box"),
        ("0 0.1 0.1 0.5 0.5 0.9", "5 numbers"),
        ("0", "0 points where 3 or more"),
        (f"7 {SQUARE}", "class 7 is not among"),
        (f"road {SQUARE}", "not a class and numbers"),
        ("0 a b c d e f", "not a class and numbers"),
        ("0 0.1 0.1 nan 0.5 0.9 0.9", "nan"),
        ("0 10 10 30 10 30 14", "the number 30"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    with pytest.raises(DataError, match=rf"a\.txt: line 3: .*{message}"):
        one(tmp_path, f"0 {SQUARE}", "", line)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "does not name its classes"),
        ("nc: 2\n", "does not name its classes"),
        (
            "train: images/nowhere\nval: images/val\nnames: [a]\n",
            r"data\.yaml: train: images/nowhere",
        ),
        ("names: [a, a]\n", "two classes"),
        ("names: {\n", "YAML"),
    ],
)
def test_bad_descriptions_are_named(folder, data, message):
    (folder / "data.yaml").unlink()
    if data:
        (folder / "data.yaml").write_text(data)
    with pytest.raises(DataError, match=message):
        open_data(f"yolo:{folder}", "train")


def test_photos_without_any_labels_are_named(tmp_path):
    sample(tmp_path, "", "a")
    (tmp_path / "data.yaml").write_text("names: [a]\n")
    with pytest.raises(DataError, match=r"none of the 1 photos.*labels.a\.txt"):
        open_data(f"yolo:{tmp_path}")


def test_a_folder_without_photos_is_named(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a]\n")
    with pytest.raises(DataError, match="no photos"):
        open_data(f"yolo:{tmp_path}")


def test_polygons_agree_with_labelme(shared):
    """The sample was made from LabelMe's: equal areas except for ignored pixels."""
    ours = open_data(shared("formats/yolo_seg_derived"), "train")
    theirs = open_data(shared("formats/labelme_json"))
    known = ("person", "bottle", "chair", "sofa", "bus", "car")
    assert ours.classes[1:] == known
    for one, other in zip(ours, theirs, strict=True):
        same = np.zeros(256, np.uint8)
        for label, name in enumerate(known, 1):
            same[theirs.classes.index(name)] = label
        counted = other.labels != 255
        assert (one.labels != same[other.labels])[counted].mean() < 1e-4
