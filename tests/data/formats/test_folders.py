import json
import math
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import formats, inventory, open_data, recognise
from fullconv.errors import DataError, ImageError, LabelError, NoSplitError
from fullconv.io.palettes import VOID
from inventories import with_code

INDICES = np.array([[0, 1, 2], [2, 1, 255]], np.uint8)


def write(path: Path, pixels: np.ndarray | None = None, size=(2, 3), **options) -> Path:
    """Write `pixels` as they are, or a grey photo of `size`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((*size, 3), 90, np.uint8) if pixels is None else np.asarray(pixels, np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    """Five photos with masks of three classes."""
    for name in "abcde":
        write(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "masks" / f"{name}.png", INDICES)
    (tmp_path / "classes.txt").write_text("road\nsky\ntree\n")
    return tmp_path


def labels_of(folder: Path, name: str | None = None) -> np.ndarray:
    data = open_data(folder)
    return data[0 if name is None else data.names.index(name)].labels


def test_values_are_read_unchanged(photos):
    data = open_data(photos)
    assert recognise(photos) == "folders"
    assert data.classes == ("road", "sky", "tree")
    assert data.names == ("a", "b", "c", "d", "e")
    assert data.source == str(photos)
    for sample in data:
        assert np.array_equal(sample.labels, INDICES)
        assert sample.image.shape == (2, 3, 3)


def test_the_format_can_be_given(photos):
    assert open_data(f"folders:{photos}", "val").names == open_data(photos, "val").names


@pytest.mark.parametrize("images", ["images", "img_dir", "Photos", "JPEGImages", "imgs"])
@pytest.mark.parametrize("masks", ["masks", "ann_dir", "annotations", "labels", "gts", "Mask"])
def test_customary_folder_names(tmp_path, images, masks):
    write(tmp_path / images / "a.jpg")
    write(tmp_path / masks / "a.png", INDICES)
    assert np.array_equal(labels_of(tmp_path), INDICES)


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("a.jpg", "a_mask.png"),
        ("a.jpg", "a_L.png"),
        ("a.JPG", "A.PNG"),
        ("a_sat.jpg", "a_mask.png"),
        ("00_img.jpg", "00_gt.png"),
        ("image_7.png", "gt_7.png"),
        ("x_leftImg8bit.png", "x_gtFine_labelIds.png"),
        ("a.jpg", "a.tif"),
        ("sub/deeper/a.jpg", "sub/deeper/a_seg.png"),
        ("mask.jpg", "mask.png"),
    ],
)
def test_customary_stems_are_matched(tmp_path, photo, mask):
    write(tmp_path / "images" / photo)
    write(tmp_path / "masks" / mask, INDICES)
    assert np.array_equal(labels_of(tmp_path), INDICES)


def test_equal_stems_are_matched_before_stripped_ones(tmp_path):
    for number, stem in enumerate(["road", "road_img", "x_gt"]):
        write(tmp_path / "images" / f"{stem}.jpg")
        write(tmp_path / "masks" / f"{stem}.png", np.full((2, 3), number, np.uint8))
    data = open_data(tmp_path)
    assert [int(sample.labels[0, 0]) for sample in data] == [0, 1, 2]


@pytest.mark.parametrize("stem", ["two words", "größe", "photo 😀", "a.b.c", "路"])
def test_any_name_works(tmp_path, stem):
    write(tmp_path / "images" / f"{stem}.jpg")
    write(tmp_path / "masks" / f"{stem}.png", INDICES)
    assert open_data(tmp_path).names == (stem,)


def test_unicode_normal_forms_are_equal(tmp_path):
    write(tmp_path / "images" / "gru\u0308n.jpg")
    write(tmp_path / "masks" / "gr\u00fcn.png", INDICES)
    assert len(open_data(tmp_path)) == 1


def test_names_of_nested_photos_contain_their_folders(tmp_path):
    for location in ("a/x", "b/x", "x"):
        write(tmp_path / "images" / f"{location}.jpg")
        write(tmp_path / "masks" / f"{location}.png", INDICES)
    assert open_data(tmp_path).names == ("a__x", "b__x", "x")


def test_hidden_files_and_circular_links_are_ignored(photos):
    write(photos / "images" / "._a.jpg")
    (photos / "images" / "again").symlink_to(photos / "images")
    assert len(open_data(photos)) == 5


# Splits


def test_without_a_split_on_disk_a_fifth_is_validation(tmp_path):
    names = [f"photo {number}" for number in range(11)]
    for name in names:
        write(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "masks" / f"{name}.png", INDICES)
    ranked = sorted(names, key=lambda name: sha256(name.encode()).hexdigest())
    val = open_data(tmp_path, "val").names
    assert set(val) == set(ranked[: math.ceil(11 / 5)])
    assert sorted([*val, *open_data(tmp_path, "train").names]) == sorted(names)


def test_an_unknown_split_names_the_known_ones(photos):
    with pytest.raises(NoSplitError, match=r"no split 'dev2'; there are: train, val \(by the hash"):
        open_data(photos, "dev2")


@pytest.mark.parametrize(
    "location", ["images/{split}/{name}", "{split}/images/{name}", "{split}/{name}"]
)
def test_split_folders(tmp_path, location):
    for split, name in (("train", "a"), ("train", "b"), ("validation", "a")):
        photo = location.format(split=split, name=name)
        mask = photo.replace("images", "masks")
        mask = mask if mask != photo else photo.replace(f"{split}/", f"{split}_labels/")
        write(tmp_path / f"{photo}.jpg")
        write(tmp_path / f"{mask}_L.png", INDICES)
    assert len(open_data(tmp_path)) == 3
    assert open_data(tmp_path, "val").names == ("validation__a",)
    assert open_data(tmp_path, "validation").names == ("validation__a",)
    assert open_data(tmp_path, "train").names == ("train__a", "train__b")
    with pytest.raises(NoSplitError, match="no split 'test'; there are: train, val"):
        open_data(tmp_path, "test")


@pytest.fixture
def divided(tmp_path):
    """Photos in images/train and images/val, with masks."""
    for split in ("train", "val"):
        for name in "abc":
            write(tmp_path / "images" / split / f"{name}.jpg")
            write(tmp_path / "masks" / split / f"{name}.png", INDICES)
    return tmp_path


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "notes/readme.txt", "empty/"])
def test_what_holds_no_images_beside_split_folders_changes_no_split(divided, name):
    path = divided / "images" / name
    (path if name.endswith("/") else path.parent).mkdir(exist_ok=True)
    if not name.endswith("/"):
        path.write_bytes(b"x")
    assert open_data(divided, "train").names == ("train__a", "train__b", "train__c")
    assert open_data(divided, "val").names == ("val__a", "val__b", "val__c")


@pytest.mark.parametrize("name", ["new", "more/new"])
def test_images_beside_split_folders_are_refused(divided, name):
    write(divided / "images" / f"{name}.jpg")
    write(divided / "masks" / f"{name}.png", INDICES)
    (problem,) = inventory(divided).problems
    assert problem.error.code == "mixed-folders" and problem.fatal
    with pytest.raises(DataError, match=r"the splits train/, val/ beside images .*(new\.jpg|more)"):
        open_data(divided, "train")
    (divided / "train.txt").write_text("train__a\ntrain__b\n")  # lists say it
    (divided / "val.txt").write_text("val__a\n")
    assert open_data(divided, "val").names == ("val__a",)


def test_one_of_many_groups_may_be_called_as_a_split(tmp_path):
    for group in ("control", "test"):
        for name in "abc":
            write(tmp_path / "images" / group / f"{name}.jpg")
            write(tmp_path / "masks" / group / f"{name}.png", INDICES)
    assert {*inventory(tmp_path).splits} == {"train", "val"}


@pytest.mark.parametrize("location", ["images/{}/{}", "{}/images/{}"])
def test_split_folders_may_have_a_year(tmp_path, location):
    for split in ("train2017", "val2017"):
        for name in "abc":
            photo = location.format(split, name)
            write(tmp_path / f"{photo}.jpg")
            write(tmp_path / f"{photo.replace('images', 'masks')}.png", INDICES)
    assert open_data(tmp_path, "val").names == ("val2017__a", "val2017__b", "val2017__c")
    assert len(open_data(tmp_path, "train")) == 3


def test_a_test_list_without_masks_does_not_stop_the_others(photos):
    write(photos / "images" / "new.jpg")
    (photos / "train.txt").write_text("a\nb\n")
    (photos / "test.txt").write_text("new\n")
    assert open_data(photos, "train").names == ("a", "b")
    with pytest.raises(
        DataError, match=r"new\.jpg: a photo without a mask; .* its line in test\.txt"
    ):
        open_data(photos, "test")


def test_masks_of_all_splits_may_be_in_one_folder(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        write(tmp_path / "images" / split / f"{name}.jpg")
        write(tmp_path / "masks" / f"{name}.png", INDICES)
    assert open_data(tmp_path, "val").names == ("val__b",)
    assert open_data(tmp_path).names == ("train__a", "val__b")


@pytest.mark.parametrize("lists", [False, True])
def test_a_mask_of_two_photos_is_refused_unless_they_are_equal(tmp_path, lists):
    for split, value in (("train", 10), ("val", 90)):
        write(tmp_path / "images" / split / "1.png", np.full((4, 4, 3), value, np.uint8))
        if lists:
            (tmp_path / f"{split}.txt").write_text(f"images/{split}/1.png")
    write(tmp_path / "masks" / "1.png", INDICES)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(
        DataError, match=r"masks/1\.png: the mask of two photos, .*val/1\.png, which"
    ):
        open_data(tmp_path, "train")
    shutil.copy(tmp_path / "images" / "train" / "1.png", tmp_path / "images" / "val" / "1.png")
    assert len(open_data(tmp_path, "train")) == 1


def test_a_test_split_without_masks_does_not_stop_the_others(photos):
    for split in ("train", "test"):
        write(photos / "new" / "images" / split / "a.jpg")
    write(photos / "new" / "masks" / "train" / "a.png", INDICES)
    assert len(open_data(photos / "new", "train")) == 1
    with pytest.raises(DataError, match=r"a\.jpg: a photo without a mask"):
        open_data(photos / "new", "test")


@pytest.mark.parametrize("file", ["val.txt", "splits/val.txt", "ImageSets/Segmentation/val.txt"])
@pytest.mark.parametrize(
    "line", ["c", "c.jpg", "images/c.jpg", "/home/her/images/c.jpg /home/her/masks/c.png"]
)
def test_lists(photos, file, line):
    path = photos / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n\n", "utf-8")
    path.with_name("train.txt").write_text(f"{line.replace('c.', 'a.') if '.' in line else 'a'}\n")
    assert open_data(photos, "val").names == ("c",)
    assert open_data(photos).names == ("a", "c")


def test_a_list_may_pair_different_stems(tmp_path):
    write(tmp_path / "raw data" / "one.jpg")
    write(tmp_path / "targets" / "1.png", INDICES)
    (tmp_path / "train.txt").write_text("raw data/one.jpg targets/1.png\n")
    assert recognise(tmp_path) == "folders"
    assert open_data(tmp_path, "train").names == ("raw data__one",)


def test_a_line_that_names_no_sample_is_an_error(photos):
    (photos / "train.txt").write_text("a\nnobody\n")
    with pytest.raises(DataError, match=r"train\.txt: 'nobody' is the name of no sample"):
        open_data(photos, "train")


def test_photos_of_train_in_another_split_are_told(photos):
    for split, names in (("train", "abcd"), ("val", "de"), ("test", "ab")):
        (photos / f"{split}.txt").write_text("\n".join(names))
    found = open_data(photos, "train").warnings
    assert [text.partition(",")[0] for text in found] == [
        "1 photo of train in val too (d)",
        "2 photos of train in test too (a",
    ]
    assert not open_data(photos, "val").warnings


def test_a_list_with_a_line_twice_is_an_error(photos):
    (photos / "train.txt").write_text("a\na.jpg\n")
    with pytest.raises(DataError, match=r"'a\.jpg' names a sample twice"):
        open_data(photos, "train")


def test_the_whole_path_of_a_list_decides_between_equal_stems(photos):
    for location in ("x/a", "x/b", "y/b"):
        write(photos / "images" / f"{location}.jpg")
        write(photos / "masks" / f"{location}.png", INDICES)
    (photos / "train.txt").write_text("images/a.jpg\nx/a\ny/b.jpg\n")
    assert open_data(photos, "train").names == ("a", "x__a", "y__b")
    (photos / "masks" / "b.png").unlink()
    (photos / "train.txt").write_text("b\n")
    with pytest.raises(DataError, match=r"images/b\.jpg: a photo without a mask"):
        open_data(photos, "train")


def test_an_unsupported_image_file_is_named(photos):
    (photos / "images" / "c.jpg").rename(photos / "images" / "c.gif")
    with pytest.raises(
        DataError, match=r"c\.png: a mask without a photo; .*found .*c\.gif, but only \.png"
    ):
        open_data(photos)


def test_dataset_yaml_with_a_masks_folder(tmp_path):
    for split in ("train", "val"):
        write(tmp_path / "set" / "images" / split / "a.jpg")
        write(tmp_path / "set" / "annotated" / split / "a.png", INDICES)
    described = "path: set\ntrain: images/train\nval: [images/val]\nmasks_dir: annotated\n"
    (tmp_path / "dataset.yaml").write_text(described + "names: {0: road, 1: sky, 2: tree}\n")
    assert recognise(tmp_path) == "folders"
    data = open_data(tmp_path, "val")
    assert data.classes == ("road", "sky", "tree")
    assert np.array_equal(data[0].labels, INDICES)
    assert open_data(tmp_path).names == ("train__a", "val__a")


@pytest.fixture
def described(tmp_path):
    """Write six photos in two folders, whose splits are in a YAML file."""
    for name in ("old/a", "old/b", "old/c", "new/d", "new/e f", "new/ü"):
        write(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "annotated" / f"{name}.png", INDICES)
    (tmp_path / "data.yaml").write_text(
        "train: [images/old, images/new]\nval: lists/some.txt\nmasks_dir: annotated\n"
        "names: [road, sky, tree]\n"
    )
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "some.txt").write_text(
        "./images/old/b.jpg\n/home/me/images/new/e f.jpg\n"
    )
    return tmp_path


def test_dataset_yaml_with_lists_and_several_folders(described):
    assert len(open_data(described, "train")) == 6
    data = open_data(described, "val")
    assert data.names == ("new__e f", "old__b")
    assert np.array_equal(data[1].labels, INDICES)
    stock = inventory(described)
    assert [pair.name for pair in stock.splits["val"]] == ["new__e f", "old__b"]
    assert not stock.problems


def test_a_list_in_dataset_yaml_that_names_a_missing_photo(described):
    (described / "lists" / "some.txt").write_text("images/old/b.jpg\nimages/old/x.jpg\n")
    assert len(open_data(described, "train")) == 6
    with pytest.raises(
        DataError, match=r"some\.txt: 'images/old/x\.jpg' does not name a photo"
    ) as caught:
        open_data(described, "val")
    assert not isinstance(caught.value, NoSplitError)
    assert len(with_code(inventory(described), "list-line")) == 1
    (described / "annotated" / "old" / "b.png").unlink()
    (described / "lists" / "some.txt").write_text("images/old/b.jpg\n")
    with pytest.raises(DataError, match=r"b\.jpg: a photo without a mask"):
        open_data(described, "val")


def test_dataset_yaml_without_masks_dir_means_the_only_masks_folder(photos):
    (photos / "classes.txt").unlink()
    lists = "train: train_photos.txt\nval: val_photos.txt\ntest: images/test\n"
    (photos / "dataset.yaml").write_text(lists + "names: [road, sky, tree]\n")
    (photos / "train_photos.txt").write_text("images/a.jpg\nimages/c.jpg\n")
    (photos / "val_photos.txt").write_text("b\n")  # stems are allowed
    assert open_data(photos, "train").names == ("a", "c")
    assert open_data(photos, "val").names == ("b",)
    (photos / "dataset.yaml").write_text("train: nowhere\nnames: [road, sky, tree]\n")
    with pytest.raises(
        DataError, match="train: nowhere does not exist; expected a folder, or a list"
    ):
        open_data(photos, "train")


def test_yaml_executes_nothing(photos):
    (photos / "dataset.yaml").write_text("names: !!python/object/apply:os.getcwd []\n")
    (photos / "classes.txt").unlink()
    with pytest.raises(DataError, match=r"dataset\.yaml: not readable as YAML"):
        open_data(photos)


# Classes


@pytest.mark.parametrize(
    "text",
    [
        "road\nsky\ntall tree\n",
        "\ufeff0 road\n\n# a comment\n1 sky\n2 tall tree\n255 void",
        "2: tall tree\n0: road\n1: sky",
        "0 road #010203\n1 sky #040506\n2 tall tree #070809",
        "road 1 2 3\nsky 4 5 6\ntall tree 7, 8, 9",
        "1 2 3 road\n4 5 6 sky\n7 8 9 tall tree",
        "__ignore__\nroad\nsky\ntall tree",
    ],
)
def test_ways_to_write_classes(photos, text):
    (photos / "classes.txt").write_text(text, "utf-8")
    data = open_data(photos)
    assert data.classes == ("road", "sky", "tall tree")
    assert np.array_equal(data[0].labels, INDICES)
    if "5" in text.replace("255", ""):
        assert data.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 road\nsky\n", "'sky' does not; number all classes or none"),
        ("0 road\n0 sky\n", "two classes have the value 0"),
        ("road\nroad\n", "two classes have the name 'road'"),
        ("road #010203\nsky #010203\n", "two classes have the color #010203"),
        ("road 1 2 300\n", r"\['1', '2', '300'\]; expected three numbers"),
        ("70000 road\n", "70000"),
        ("# nothing\n", "0 classes; expected 1 to 255"),
        ("\n".join(f"c{number}" for number in range(256)), "256 classes"),
    ],
)
def test_invalid_class_lists(photos, text, message):
    (photos / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        open_data(photos)


def test_a_class_list_that_is_not_utf8(photos):
    (photos / "classes.txt").write_bytes("größe".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        open_data(photos)


def test_numbers_may_begin_anywhere_and_leave_gaps(photos):
    (photos / "classes.txt").write_text("255 unlabelled\n2 tree\n1 sky\n0 __ignore__")
    expected = np.array([[255, 0, 1], [1, 0, 255]], np.uint8)
    data = open_data(photos)
    assert data.classes == ("sky", "tree")
    assert np.array_equal(data[0].labels, expected)


def test_dataset_meta_of_datumaro(photos):
    (photos / "classes.txt").unlink()
    meta = {"label_map": {"0": "a", "1": "b", "2": "c"}}
    (photos / "dataset_meta.json").write_text(json.dumps(meta))
    assert open_data(photos).classes == ("a", "b", "c")
    (photos / "dataset_meta.json").write_text("[]")
    with pytest.raises(DataError, match="expected label_map"):
        open_data(photos)


def test_classes_derived_from_the_masks(photos):
    (photos / "classes.txt").unlink()
    assert open_data(photos, "val").classes == ("class 0", "class 1", "class 2")
    write(photos / "masks" / "d.png", INDICES + np.uint8(5))
    with pytest.raises(DataError, match=r"0, 1, 2, 4, 5, 6, 7, 255.*0 NAME / 1 NAME"):
        open_data(photos, "val")


# Mask values


def test_an_unknown_value_is_named_with_its_count(photos):
    write(photos / "masks" / "b.png", [[0, 1, 7], [7, 7, 255]])
    data = open_data(photos)
    with pytest.raises(
        LabelError, match=r"b\.png: the value 7 \(3 pixels\).*255 is ignored"
    ) as error:
        data[1]
    assert "classes.txt" in str(error.value)


@pytest.mark.parametrize("kind", ["P", "I;16", "RGB", "LA", "RGBA"])
def test_image_types_that_hold_class_numbers(photos, kind):
    picture = Image.fromarray(INDICES)
    if kind == "P":
        picture.putpalette(bytes(range(200, 0, -1)) * 3)
    elif kind == "I;16":
        picture = Image.fromarray(INDICES.astype(np.uint16))
    else:
        picture = picture.convert(kind)
    picture.save(photos / "masks" / "a.png")
    assert np.array_equal(labels_of(photos, "a"), INDICES)


def test_one_bit_masks(photos):
    (photos / "classes.txt").write_text("no\nyes\n")
    for path in (photos / "masks").iterdir():
        Image.fromarray(np.array([[True, False, True], [False] * 3])).save(path)
    assert np.array_equal(labels_of(photos), [[1, 0, 1], [0, 0, 0]])


COLORS = np.array([(10, 20, 30), (0, 0, 0), (255, 255, 255)], np.uint8)


def test_colour_coded_masks(photos):
    (photos / "classes.txt").write_text("0 a #0a141e\n1 b #000000\n2 c #ffffff\n")
    expected = np.array([[0, 1, 2], [2, 1, 0]])
    write(photos / "masks" / "a.png", COLORS[expected])
    assert np.array_equal(labels_of(photos, "a"), expected)
    assert open_data(photos).palette == tuple(map(tuple, COLORS.tolist()))


def test_an_unknown_colour_is_named_with_its_count(photos):
    (photos / "classes.txt").write_text("0 a #0a141e\n1 b #000000\n2 c #ffffff\n")
    pixels = COLORS[np.zeros((2, 3), int)].copy()
    pixels[0, :2] = (10, 20, 31)
    write(photos / "masks" / "a.png", pixels)
    with pytest.raises(LabelError, match=r"a\.png: the colour #0a141f \(2 pixels\).*classes\.txt"):
        open_data(photos)[0]


def test_colours_without_declared_colours(photos):
    write(photos / "masks" / "a.png", COLORS[INDICES % 3])
    with pytest.raises(LabelError, match=r"3 colours, e\.g\. #.*no colours are declared"):
        open_data(photos)[0]


@pytest.mark.parametrize("declared", ["background\nroad\n", "0 no\n255 yes\n", None])
def test_0_and_255_are_two_classes(photos, declared):
    for path in (photos / "masks").iterdir():
        write(path, [[0, 255, 0], [255, 255, 0]])
    write(photos / "masks" / "a.png", np.zeros((2, 3), np.uint8))
    (photos / "classes.txt").unlink()
    if declared:
        (photos / "classes.txt").write_text(declared)
    assert np.array_equal(labels_of(photos, "b"), [[0, 1, 0], [1, 1, 0]])
    assert not labels_of(photos, "a").any()
    assert len(open_data(photos).classes) == 2


def test_255_is_void_if_declared_or_if_a_mask_holds_1(photos):
    for path in (photos / "masks").iterdir():
        write(path, [[0, 255, 0], [255, 255, 0]])
    (photos / "classes.txt").write_text("0 no\n1 yes\n255 void\n")
    assert set(np.unique(labels_of(photos))) == {0, VOID}
    (photos / "classes.txt").write_text("no\nyes\n")
    write(photos / "masks" / "c.png", [[0, 1, 0], [255, 255, 0]])
    assert set(np.unique(labels_of(photos))) == {0, VOID}


def test_another_value_in_a_later_binary_mask_is_an_error(tmp_path):
    for number in range(40):
        write(tmp_path / "images" / f"{number}.jpg")
        write(tmp_path / "masks" / f"{number}.png", [[0, 255, 0], [255, 255, 0]])
    (tmp_path / "classes.txt").write_text("no\nyes\n")
    ranked = sorted(range(40), key=lambda n: sha256(f"{n}.png".encode()).hexdigest())
    write(tmp_path / "masks" / f"{ranked[-1]}.png", [[0, 1, 0], [255, 255, 0]])
    data = open_data(tmp_path)
    with pytest.raises(LabelError, match=r"the value 1 .*the values 0, 255.*255 void"):
        data[data.names.index(str(ranked[-1]))]


def test_masks_that_are_all_0_do_not_decide(tmp_path):
    for number in range(40):
        write(tmp_path / "images" / f"{number}.jpg")
        write(tmp_path / "masks" / f"{number}.png", np.zeros((2, 3), np.uint8))
    ranked = sorted(range(40), key=lambda n: sha256(f"{n}.png".encode()).hexdigest())
    write(tmp_path / "masks" / f"{ranked[-1]}.png", [[0, 255, 0], [0, 0, 0]])
    (tmp_path / "classes.txt").write_text("no\nyes\n")
    assert labels_of(tmp_path, str(ranked[-1]))[0, 1] == 1


def test_jpeg_masks_are_refused(photos):
    write(photos / "masks" / "f.jpg", INDICES)
    write(photos / "images" / "f.jpg")
    with pytest.raises(DataError, match=r"f\.jpg: a JPEG mask \(1 in all\).*expected PNG"):
        open_data(photos)
    (photos / "masks" / "f.jpg").rename(photos / "masks" / "f.png")
    with pytest.raises(DataError, match=r"f\.png: a JPEG mask.*alters labels"):
        open_data(photos)[5]


# Invalid pairs


def test_photos_without_masks_are_counted(photos):
    write(photos / "images" / "y.jpg")
    write(photos / "images" / "z.jpg")
    with pytest.raises(DataError, match=r"2 photos without a mask: .*y\.jpg, .*z\.jpg"):
        open_data(photos)


def test_masks_without_photos_are_counted(photos):
    write(photos / "masks" / "z.png", INDICES)
    with pytest.raises(
        DataError, match=r"z\.png: a mask without a photo; expected a photo of the same stem"
    ):
        open_data(photos)


@pytest.mark.parametrize("extra", ["images/a.png", "masks/A.tif"])
def test_two_files_of_one_stem(photos, extra):
    write(photos / extra, INDICES)
    with pytest.raises(DataError, match="the same sample name as"):
        open_data(photos)


def test_equal_sample_names_are_refused(photos):
    for stem in ("x/y", "x__y"):
        write(photos / "images" / f"{stem}.jpg")
        write(photos / "masks" / f"{stem}.png", INDICES)
    with pytest.raises(DataError, match="the same sample name as"):
        open_data(photos)


def test_unequal_sizes_are_named(photos):
    write(photos / "masks" / "c.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(
        DataError, match=r"c\.png: 3 x 2 pixels .*c\.jpg has 2 x 3; .*by 90 degrees"
    ):
        open_data(photos)[2]


def test_a_mask_of_the_unrotated_photo_is_rotated_with_it(photos):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees, clockwise
    write(photos / "images" / "a.jpg", exif=exif)
    rotated = np.rot90(INDICES, -1)
    assert np.array_equal(labels_of(photos, "a"), rotated)
    write(photos / "masks" / "a.png", rotated)
    assert np.array_equal(labels_of(photos, "a"), rotated)


def test_a_broken_photo_is_named(photos):
    (photos / "images" / "b.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match=r"b\.jpg: an empty file"):
        open_data(photos)[1]


def test_two_candidate_folders_are_refused(photos):
    write(photos / "labels" / "a.png", INDICES)
    with pytest.raises(DataError, match="2 folders of masks: labels, masks; expected one"):
        open_data(photos)


def test_folders_without_images_are_not_recognised(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.1 0.1")
    assert not formats["folders"].recognises(tmp_path)
    found = "holds images, labels: images/ and labels/ hold no picture; expected a folder of photos"
    with pytest.raises(DataError, match=found):
        open_data(f"folders:{tmp_path}")
    with pytest.raises(DataError, match="is not a folder"):
        open_data(f"folders:{tmp_path}/none")


def test_broken_yaml_is_reported_in_one_line(photos):
    (photos / "dataset.yaml").write_text("names: [a, b\ntrain: x\n")
    with pytest.raises(DataError, match=r"YAML \(.*expected .* in line 2, column 6\)") as error:
        open_data(photos)
    assert "\\n" not in str(error.value)


def test_an_unknown_layout_is_reported_with_its_contents(photos, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    with pytest.raises(
        DataError, match=r"holds nothing, which is not a known layout; expected images/ and masks/"
    ):
        recognise(above)
    shutil.copytree(photos, above / "inner")
    with pytest.raises(DataError, match=r"holds inner, .*did you mean folders:.*inner\?"):
        recognise(above)
    with pytest.raises(DataError, match="is a file; expected a folder, or FORMAT:PATH"):
        recognise(above / "inner" / "masks" / "a.png")
    shutil.copytree(photos, above / "other")  # a folder for each photo, as in some competitions
    with pytest.raises(DataError, match=r"2 of its folders have images and masks .*collect all"):
        recognise(above)


# Published samples


@pytest.mark.parametrize(
    ("location", "count", "classes"),
    [
        ("pseudo_dataset_mmseg", 5, 4),
        ("kaggle_image_mask/image_mask", 2, 2),
        ("kaggle_image_mask/image_mask_with_labelmap", 3, 3),
        ("voc_labelme_export", 3, 21),
    ],
)
def test_published_samples_hold_the_values_that_pillow_reads(shared, location, count, classes):
    folder = shared("formats") / location
    data = open_data(f"folders:{folder}")
    assert (len(data), len(data.classes)) == (count, classes)
    masks = next(
        folder / name for name in ("masks", "gts", "SegmentationClass") if (folder / name).is_dir()
    )
    for sample, mask in zip(data, sorted(masks.iterdir()), strict=True):
        assert np.array_equal(sample.labels, np.asarray(Image.open(mask)))


@pytest.mark.parametrize("location", ["dataset", "non_standard_dataset"])
def test_samples_of_datumaro_hold_its_colours(shared, location):
    folder = shared("formats") / "common_semantic" / location
    meta = json.loads((folder / "dataset_meta.json").read_text())
    data = open_data(f"folders:{folder}")
    assert data.classes == tuple(meta["label_map"].values())
    colors = np.array(meta["segmentation_colors"])
    for sample, mask in zip(data, sorted((folder / "masks").iterdir()), strict=True):
        assert np.array_equal(colors[sample.labels], np.asarray(Image.open(mask)))


def test_splits_of_mmseg(shared):
    folder = shared("formats") / "pseudo_dataset_mmseg"
    assert open_data(f"folders:{folder}", "val").names == ("00004_img",)
    assert len(open_data(f"folders:{folder}", "train")) == 4


def test_colours_of_deepglobe_must_be_declared(shared):
    with pytest.raises(LabelError, match=r"#ff00ff.*no colours are declared"):
        open_data(f"folders:{shared('formats') / 'deepglobe'}", "train")


def test_colours_of_deepglobe(shared, tmp_path):
    copy = tmp_path / "deepglobe"
    shutil.copytree(shared("formats") / "deepglobe", copy)
    (copy / "class_dict.csv").write_text(
        "name, r, g, b\nurban_land,0,255,255\nagriculture,255,255,0\nrangeland,255,0,255\n"
    )
    data = open_data(copy, "train")
    assert recognise(copy) == "folders"
    assert data.names == ("training_data__1_sat", "training_data__2_sat", "training_data__3_sat")
    assert [set(np.unique(sample.labels)) for sample in data] == [{0}] * 3
    assert [set(np.unique(sample.labels)) for sample in open_data(copy, "test")] == [{2}] * 3
