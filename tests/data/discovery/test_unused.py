"""Samples and photos that no split uses are counted, in each format."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import inventory, open_data
from fullconv.errors import DataError
from inventories import with_code

SIZE = (20, 30)
SQUARE = [2, 3, 12, 3, 12, 9, 2, 9]
FEW = ("a", "b", "c")


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.stem.encode())).integers(0, 255, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(path)


def mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.arange(600) % 2).reshape(SIZE).astype(np.uint8)).save(path)


def pairs(folder, names=FEW, images="images", masks="masks", ending=""):
    for name in names:
        photo(folder / images / f"{name}.png")
        mask(folder / masks / f"{name}{ending}.png")
    (folder / "classes.txt").write_text("sky\nroad\n")
    return folder


def lists(folder, place="", line="{}", **names):
    (folder / place).mkdir(parents=True, exist_ok=True)
    for split, found in names.items():
        (folder / place / f"{split}.txt").write_text("\n".join(map(line.format, found)))


def coco(folder, names=FEW, file="instances_all.json", images="images"):
    square = {"segmentation": [SQUARE], "iscrowd": 0, "category_id": 1}
    content = {
        "images": [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(names)],
        "annotations": [{"id": n, "image_id": n, **square} for n in range(len(names))],
        "categories": [{"id": 1, "name": "road"}],
    }
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    for name in names:
        photo(folder / images / f"{name}.png")


def cvat(folder):
    shape = '<polygon label="road" points="2,3;12,3;12,9"/>'
    images = [f'<image id="0" name="{n}.png" width="30" height="20">{shape}</image>' for n in FEW]
    text = f'<?xml version="1.0"?>\n<annotations>{"".join(images)}</annotations>'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "annotations.xml").write_text(text)
    for name in FEW:
        photo(folder / "images" / f"{name}.png")


def labelstudio(folder):
    value = {"points": [[5, 5], [50, 5], [50, 50]], "polygonlabels": ["road"]}
    drawn = {"id": "r", "type": "polygonlabels", "value": value}
    one = {"completed_by": 1, "was_cancelled": False, "result": [drawn]}
    tasks = [
        {"id": n, "annotations": [one], "data": {"image": f"{name}.png"}}
        for n, name in enumerate(FEW)
    ]
    tasks.append({"id": 9, "annotations": [], "data": {"image": "later.png"}})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "export.json").write_text(json.dumps(tasks))
    for name in (*FEW, "later"):
        photo(folder / "images" / f"{name}.png")


def labelme(folder, images=".", prefix=""):
    square = [[2, 3], [12, 3], [12, 9]]
    shape = {"label": "road", "points": square, "shape_type": "polygon"}
    folder.mkdir(parents=True, exist_ok=True)
    for name in FEW:
        content = {"imagePath": f"{prefix}{name}.png", "imageData": None, "shapes": [shape]}
        (folder / f"{name}.json").write_text(json.dumps(content))
        photo(folder / images / f"{prefix}{name}.png")


def yolo(folder, listed=FEW):
    for name in FEW:
        photo(folder / "images" / f"{name}.png")
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{name}.txt").write_text("0 .1 .1 .6 .1 .6 .6\n")
    lists(folder, line="images/{}.png", photos=listed)
    (folder / "data.yaml").write_text("train: photos.txt\nval: photos.txt\nnames: [road]\n")


def ade(folder):
    for part in ("training", "validation"):
        for name in FEW:
            photo(folder / "images" / part / f"{part}{name}.jpg")
            mask(folder / "annotations" / part / f"{part}{name}.png")
    (folder / "objectInfo150.txt").write_text("")


def pair_lists(folder):
    pairs(folder)
    lists(folder, line="images/{0}.png masks/{0}.png", train="ab", val="c")


def pair_lists_of_camvid(folder):
    pairs(folder, images="train", masks="trainannot")
    (folder / "classes.txt").unlink()
    lists(folder, line="train/{0}.png trainannot/{0}.png", train="ab", val="c")


def described(folder):
    pairs(folder)
    lists(folder, line="images/{}.png", first="ab", second="c")
    text = "train: first.txt\nval: second.txt\nmasks_dir: masks\nnames: [sky, road]\n"
    (folder / "dataset.yaml").write_text(text)


def voc(folder):
    pairs(folder, images="JPEGImages", masks="SegmentationClass")
    lists(folder, "ImageSets/Segmentation", train="ab", val="c")


BESIDE = {
    "coco": (coco, "images/{}.png", "a record of every photo in a JSON file"),
    "cvat": (cvat, "images/{}.png", "an <image> of every photo in annotations.xml"),
    "labelstudio": (labelstudio, "images/{}.png", "a task of every photo in an export"),
    "yolo": (yolo, "images/{}.png", "labels for every photo in these folders"),
    "ade20k": (ade, "images/{}.png", "labels for every photo in these folders"),
    "folders with lists of pairs": (pair_lists, "images/{}.png", "a line of every photo in a list"),
    "camvid": (pair_lists_of_camvid, "train/{}.png", "a line of every photo in a list"),
    "folders with dataset.yaml": (described, "images/{}.png", "labels for every photo in"),
    "voc": (voc, "JPEGImages/{}.png", "labels for every photo in these folders"),
}


@pytest.mark.parametrize("layout", BESIDE)
def test_photos_beside_those_of_the_samples_are_counted(tmp_path, layout):
    build, place, needed = BESIDE[layout]
    build(tmp_path)
    before = inventory(tmp_path)
    assert not with_code(before, "unused-photo")
    for name in ("x", "y"):
        photo(tmp_path / place.format(name))
    if layout == "camvid":  # a pair of files that no list names
        mask(tmp_path / "trainannot" / "x.png")
        mask(tmp_path / "trainannot" / "y.png")
    (problem,) = with_code(inventory(tmp_path), "unused-photo")
    first = ", ".join(place.format(name) for name in ("x", "y"))
    assert problem.error.found == f"2 photos left out, beside those of the samples: {first}"
    assert problem.error.expected.startswith(needed)
    assert not problem.fatal
    data = open_data(tmp_path, "train")
    assert len(data) == len(before.splits["train"])
    assert any(problem.error.found in sentence for sentence in data.warnings)


def test_photos_are_counted_with_other_groups_too(tmp_path):
    coco(tmp_path, ["a1", "a2", "b1", "b2"])
    photo(tmp_path / "images" / "x.png")
    (warning,) = open_data(f"{tmp_path}?group-by=^.", "train").warnings
    assert "1 photo left out, beside those of the samples: images/x.png;" in warning


def test_photos_in_folders_within_that_of_the_samples_are_counted(tmp_path):
    coco(tmp_path)
    photo(tmp_path / "images" / "more" / "x.png")
    photo(tmp_path / "images" / "test2017" / "y.png")  # the labels of test are often withheld
    (problem,) = with_code(inventory(tmp_path), "unused-photo")
    assert "1 photo left out, beside those of the samples: images/more/x.png" in str(problem.error)


def test_one_file_of_coco_leaves_the_photos_of_others_to_them(tmp_path):
    coco(tmp_path, "ab", "instances_first.json")
    coco(tmp_path, "cd", "instances_second.json")
    assert inventory(f"coco:{tmp_path}/instances_first.json").problems == []
    assert inventory(tmp_path).problems == []


def test_photos_of_other_tasks_of_voc_do_not_count(tmp_path):
    voc(tmp_path)
    photo(tmp_path / "JPEGImages" / "x.png")
    assert with_code(inventory(tmp_path), "unused-photo")
    (tmp_path / "ImageSets" / "Main").mkdir()
    assert inventory(tmp_path).problems == []


def test_links_to_folders_hold_the_same_photos(tmp_path):
    coco(tmp_path / "data")
    (tmp_path / "data" / "images").rename(tmp_path / "data" / "pool")
    (tmp_path / "data" / "images").mkdir()
    (tmp_path / "data" / "images" / "all").symlink_to(tmp_path / "data" / "pool")
    (tmp_path / "data" / "images" / "again").symlink_to(tmp_path / "data" / "pool")
    text = (tmp_path / "data" / "instances_all.json").read_text()
    for name in FEW:
        text = text.replace(f'"{name}.png"', f'"all/{name}.png"')
    (tmp_path / "data" / "instances_all.json").write_text(text)
    assert inventory(tmp_path / "data").problems == []


@pytest.mark.parametrize("images", [".", "images"])
@pytest.mark.parametrize("prefix", ["", "photo_"])
def test_photos_without_a_file_of_labelme_are_counted(tmp_path, images, prefix):
    labelme(tmp_path, images, prefix)
    assert inventory(tmp_path).problems == []
    photo(tmp_path / images / "x.png")
    (warning,) = open_data(tmp_path, "train").warnings
    place = "x.png" if images == "." else "images/x.png"
    assert f"1 photo left out, without a .json file: {place}; expected a file for every" in warning


def test_photos_of_one_name_in_two_folders_are_two_of_labelme(tmp_path):
    labelme(tmp_path / "first")
    labelme(tmp_path / "second")
    (tmp_path / "second" / "a.json").unlink()
    (problem,) = with_code(inventory(tmp_path), "not-annotated")
    assert "1 photo left out, without a .json file: second/a.png" in str(problem.error)


@pytest.mark.parametrize("more", ["photo", "mask"])
def test_what_lacks_a_partner_and_is_in_no_list_is_counted(tmp_path, more):
    pairs(tmp_path)
    lists(tmp_path, train="ab", val="c")
    for name in ("x", "y"):
        photo(tmp_path / "images" / f"{name}.png") if more == "photo" else mask(
            tmp_path / "masks" / f"{name}.png"
        )
    (warning,) = open_data(tmp_path, "train").warnings
    what = {"photo": "2 photos without a mask", "mask": "2 masks without a photo"}[more]
    assert what in warning


def test_splits_that_share_masks_do_not_count_those_of_each_other(tmp_path):
    for split, names in (("train", "ab"), ("val", "c")):
        pairs(tmp_path, names, f"images/{split}")
    lists(tmp_path, "splits", train="a", val="bc")
    assert inventory(tmp_path).problems == []


def test_samples_beside_a_list_of_all_are_counted(tmp_path):
    pairs(tmp_path, "abcdefg")
    lists(tmp_path, "splits", all="abcde")
    (warning,) = open_data(tmp_path, "train").warnings
    assert "2 samples left out, in no split: f, g;" in warning


def test_samples_in_no_list_are_counted_with_other_groups_too(tmp_path):
    pairs(tmp_path, ["a1", "a2", "b1", "b2", "c1"])
    lists(tmp_path, train=["a1", "a2"], val=["b1", "b2"])
    (warning,) = open_data(f"{tmp_path}?group-by=^.", "train").warnings
    assert "1 sample left out, in no split: c1;" in warning


# Folders of splits


@pytest.mark.parametrize("layout", ["coco of Roboflow", "coco.org", "train beside train_labels"])
def test_a_folder_of_a_split_without_labels_is_counted(tmp_path, layout):
    other = "val2017" if layout == "coco.org" else "valid"
    if layout == "coco of Roboflow":
        coco(tmp_path, FEW, "train/_annotations.coco.json", "train")
    elif layout == "coco.org":
        coco(tmp_path, FEW, "annotations/instances_train2017.json", "train2017")
    else:
        pairs(tmp_path, FEW, "train", "train_labels")
    for name in ("x", "y"):
        photo(tmp_path / other / f"{name}.png")
        photo(tmp_path / "test2017" / f"{name}.png")
    (problem,) = with_code(inventory(tmp_path), "unused-folder")
    assert f"2 photos left out, in no split: {other}/ (2)" in str(problem.error)


@pytest.mark.parametrize("layout", ["folders", "voc"])
def test_samples_in_no_list_are_counted(tmp_path, layout):
    places = {"folders": ("images", "masks"), "voc": ("JPEGImages", "SegmentationClass")}
    pairs(tmp_path, "abcdef", *places[layout])
    place = {"folders": "splits", "voc": "ImageSets/Segmentation"}[layout]
    lists(tmp_path, place, train="ab", val="c", test="d")
    (warning,) = open_data(tmp_path, "train").warnings
    assert "2 samples left out, in no split: e, f; expected every sample in a list" in warning
    lists(tmp_path, place, rest="ef")
    assert open_data(tmp_path, "train").warnings == ()


LAYOUTS = {
    "{split}/images": ("{split}/images", "{split}/masks"),
    "images/{split}": ("images/{split}", "masks/{split}"),
    "{split} beside {split}_labels": ("{split}", "{split}_labels"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_photos_beside_the_folders_of_splits_are_counted(tmp_path, layout):
    for split, names in (("train", "abc"), ("val", "de"), ("extra", "fghi"), ("more", "j")):
        pairs(tmp_path, names, *(text.format(split=split) for text in LAYOUTS[layout]))
    if layout == "images/{split}":  # else it is unclear which of them are splits
        text = "train: images/train\nval: images/val\nmasks_dir: masks\nnames: [sky, road]\n"
        (tmp_path / "dataset.yaml").write_text(text)
    places = [LAYOUTS[layout][0].format(split=split) for split in ("extra", "more")]
    for split, number in (("train", 3), ("val", 2), (None, 5)):
        data = open_data(tmp_path, split)
        assert len(data) == number
        (warning,) = data.warnings
        assert f"5 photos left out, in no split: {places[0]}/ (4), {places[1]}/ (1);" in warning
    (problem,) = with_code(inventory(tmp_path), "unused-folder")
    assert not problem.fatal


def test_photos_beside_the_only_folder_of_photos_are_counted(tmp_path):
    pairs(pairs(tmp_path), "gh", "old/images", "old/masks")
    (warning,) = open_data(tmp_path, "train").warnings
    assert "2 photos left out, in no split: old/images/ (2);" in warning


@pytest.mark.parametrize("split", ["train", "val"])
def test_folders_of_other_things_beside_splits_do_not_count(tmp_path, split):
    for name in ("train", "val"):
        pairs(tmp_path, "abc" if name == "train" else "de", name, f"{name}_labels")
        pairs(tmp_path, "abc", "runs/predict", f"depth/{name}")
    assert open_data(tmp_path, split).warnings == ()


def test_photos_of_a_split_that_cannot_be_used_are_not_said_to_be_in_none(tmp_path):
    for split, names in (("train", "abc"), ("val", "de")):
        pairs(tmp_path, names, f"{split}/images", f"{split}/masks")
    for path in (tmp_path / "val/masks").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    assert not with_code(inventory(tmp_path), "unused-folder")


TABLE = "Pixel Value, Class\n0, sky\n1, road\n"


def roboflow(folder, *splits):
    for split in splits:
        pairs(folder / split, FEW, ".", ".", "_mask")
        (folder / split / "classes.txt").unlink()
        (folder / split / "_classes.csv").write_text(TABLE)
    return folder


def test_a_split_of_roboflow_without_its_classes_cannot_be_used(tmp_path):
    roboflow(tmp_path, "train", "valid", "test")
    for split in ("valid", "test"):
        (tmp_path / split / "_classes.csv").unlink()
    assert len(open_data(tmp_path, "train")) == 3
    for split in ("val", "test"):
        with pytest.raises(DataError, match=r"it holds 3 masks, but no _classes\.csv; expected"):
            open_data(tmp_path, split)
    assert len(with_code(inventory(tmp_path), "not-readable")) == 2


def test_other_folders_of_roboflow_without_classes_are_counted(tmp_path):
    roboflow(tmp_path, "train", "valid", "extra")
    (tmp_path / "extra" / "_classes.csv").unlink()
    (problem,) = with_code(inventory(tmp_path), "unused-folder")
    assert "left out, since it holds 3 masks, but no _classes.csv" in str(problem.error)
    assert problem.path == tmp_path / "extra" and not problem.fatal


def test_folders_beside_the_photos_of_roboflow_are_counted(tmp_path):
    roboflow(tmp_path, ".")
    roboflow(tmp_path, "more")
    (tmp_path / "more" / "_classes.csv").unlink()
    (problem,) = with_code(inventory(tmp_path), "unused-folder")
    assert problem.path == tmp_path / "more"


def test_masks_of_a_split_of_cityscapes_without_photos_are_counted(tmp_path):
    for split in ("train", "val", "test"):
        mask(tmp_path / "gtFine" / split / "bonn" / "b_1_gtFine_labelIds.png")
    photo(tmp_path / "leftImg8bit" / "train" / "bonn" / "b_1_leftImg8bit.png")
    (problem,) = with_code(inventory(tmp_path), "photo-missing")
    assert problem.path.parts[-3:] == ("val", "bonn", "b_1_gtFine_labelIds.png")
    assert not problem.fatal
