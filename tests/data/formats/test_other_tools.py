"""Exports of labelling tools as people have them, and folders that are no data set yet."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks import examine
from fullconv.data.discovery.files import find_images
from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import detect_format, inventory, open_data, recognise
from fullconv.errors import DataError, NoSplitError
from inventories import with_code

SIZE = (20, 30)
COLORS = np.array([(0, 0, 0), (48, 112, 32), (176, 112, 32)], np.uint8)


def photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(path)


def mask(path, classes=2, colors=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = (np.arange(SIZE[0] * SIZE[1]) % classes).reshape(SIZE).astype(np.uint8)
    Image.fromarray(COLORS[values] if colors else values).save(path)


def pairs(folder, names, images="images", masks="masks"):
    for seed, name in enumerate(names):
        photo(folder / images / f"{name}.jpg", seed)
        mask(folder / masks / f"{name}.png")
    (folder / "classes.txt").write_text("background\nweed\n")
    return folder


def cvat_masks(folder, names, **lists):
    for seed, name in enumerate(names):
        photo(folder / "JPEGImages" / f"{name}.jpg", seed)
        mask(folder / "SegmentationClass" / f"{name}.png", 3, colors=True)
    labels = "background:0,0,0::\nCat:48,112,32::\nDog:176,112,32::\n"
    (folder / "labelmap.txt").write_text(f"# label:color_rgb:parts:actions\n{labels}")
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split, lines in lists.items():
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(lines))
    return folder


# Lists of all samples


@pytest.mark.parametrize("whole", ["default", "all", "trainval"])
@pytest.mark.parametrize("gap", ["_", " "])
def test_a_list_of_all_samples_is_divided(tmp_path, whole, gap):
    names = [f"frame{gap}{number:03d}" for number in range(10)]
    cvat_masks(tmp_path, names, **{whole: names})
    parts = hash_split(names)
    for split in ("train", "val"):
        expected = tuple(names[index] for index in parts[split])
        assert open_data(tmp_path, split).names == expected
    assert len(open_data(tmp_path)) == 10
    assert not examine(str(tmp_path), workers=1).of("error")
    with pytest.raises(NoSplitError, match=rf"{whole} is divided"):
        open_data(tmp_path, "test")


def test_samples_of_other_lists_are_kept_out_of_train(tmp_path):
    names = [f"a{number}" for number in range(8)]
    cvat_masks(tmp_path, names, trainval=names[:6], val=names[4:6], test=names[6:])
    assert open_data(tmp_path, "train").names == tuple(names[:4])
    assert open_data(tmp_path, "val").names == tuple(names[4:6])


def test_a_faulty_list_of_all_samples_is_refused(tmp_path):
    names = [f"a{number}" for number in range(6)]
    cvat_masks(tmp_path, names, default=[*names, "gone"])
    for split in ("train", "val", None):
        with pytest.raises(DataError, match="'gone' is the name of no sample"):
            open_data(tmp_path, split)
    (finding,) = examine(str(tmp_path), workers=1).of("error")
    assert "'gone'" in finding.found


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "\ufeff"])
@pytest.mark.parametrize("place", ["ImageSets/Segmentation/default.txt", "train.txt"])
def test_an_empty_list_is_an_error(tmp_path, text, place):
    if place == "train.txt":
        pairs(tmp_path, "abc")
    else:
        cvat_masks(tmp_path, "abc", default="abc")
    (tmp_path / place).write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"the list is empty"):
        open_data(tmp_path, "train")
    assert examine(str(tmp_path), workers=1).of("error")


def test_an_empty_list_or_folder_of_yolo_is_an_error(tmp_path):
    for name in "ab":
        photo(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{name}.txt").write_text("0 .1 .1 .6 .1 .6 .6\n")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "val.txt").write_text("")
    for place in ("val.txt", "nothing"):
        (tmp_path / "data.yaml").write_text(f"train: images\nval: {place}\nnames: [car]\n")
        assert len(open_data(tmp_path, "train")) == 2
        with pytest.raises(DataError, match=r"the list is empty|has no samples") as caught:
            open_data(tmp_path, "val")
        assert not isinstance(caught.value, NoSplitError)
        assert examine(str(tmp_path), workers=1).of("error")


@pytest.mark.parametrize("line", ["{0}", "images/{0}.jpg", "images/{0}.jpg masks/{0}.png"])
@pytest.mark.parametrize("name", ["{}_list.txt", "{}list.txt", "splits/{}.txt", "{}.csv"])
def test_lists_of_paddle_and_others(tmp_path, line, name):
    pairs(tmp_path, "abcde")
    (tmp_path / "splits").mkdir()
    for split, names in (("train", "abc"), ("val", "de")):
        lines = [line.format(stem) for stem in names]
        (tmp_path / name.format(split)).write_text("\n".join(lines))
    assert open_data(tmp_path, "train").names == tuple("abc")
    assert open_data(tmp_path, "val").names == tuple("de")


def test_a_listed_photo_without_a_mask_is_named(tmp_path):
    pairs(tmp_path, "abc")
    (tmp_path / "masks" / "b.png").unlink()
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "val.txt").write_text("c\n")
    with pytest.raises(DataError, match=r"b\.jpg: a photo without a mask; .*its line in train"):
        open_data(tmp_path, "train")
    assert open_data(tmp_path, "val").names == ("c",)
    (finding,) = examine(str(tmp_path), workers=1).of("error")
    assert (finding.code, finding.file) == ("mask-missing", "images/b.jpg")


# Roboflow


def roboflow_coco(folder, categories, split="train"):
    images = [{"id": n, "file_name": f"p{n}.jpg", "height": 20, "width": 30} for n in range(3)]
    square = {"segmentation": [[2, 2, 9, 2, 9, 9]], "iscrowd": 0}
    used = categories[-1]["id"]
    records = [{"id": n, "image_id": n, "category_id": used, **square} for n in range(3)]
    for n in range(3):
        photo(folder / split / f"p{n}.jpg", n)
    content = {"images": images, "annotations": records, "categories": categories}
    (folder / split / "_annotations.coco.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("categories", "classes"),
    {
        "cracks:none crack:cracks": "background crack",
        "crack:none crack:crack": "background crack",
        "things:none a:things b:things": "background a b",
        "things: a:things b:things": "background a b",
        "a:none b:none": "background a b",  # no class is above another one
        "a:none b:a c:other": "background a b c",
        "b:none": "background b",
    }.items(),
)
def test_roboflows_root_category_is_no_class(tmp_path, categories, classes):
    named = [entry.split(":") for entry in categories.split()]
    records = [{"id": n, "name": a, "supercategory": b} for n, (a, b) in enumerate(named)]
    for split in ("train", "valid"):
        roboflow_coco(tmp_path, records, split)
    data = open_data(tmp_path, "val")
    assert " ".join(data.classes) == classes
    assert np.unique(data[0].labels).tolist() == [0, len(data.classes) - 1]


def test_a_root_category_with_annotations_is_a_class(tmp_path):
    records = [
        {"id": 1, "name": "crack", "supercategory": "damage"},
        {"id": 2, "name": "damage", "supercategory": "none"},
    ]
    roboflow_coco(tmp_path, records)
    assert open_data(tmp_path, "train").classes == ("background", "crack", "damage")


def roboflow_masks(folder, names="ab", table="Pixel Value, Class\n0, background\n1, crack\n"):
    for seed, name in enumerate(names):
        photo(folder / f"{name}_jpg.rf.01.jpg", seed)
        mask(folder / f"{name}_jpg.rf.01_mask.png")
    (folder / "_classes.csv").write_text(table)


def test_roboflows_masks_beside_photos(tmp_path):
    for split in ("train", "valid", "test"):
        roboflow_masks(tmp_path / split)
    assert recognise(tmp_path) == "roboflow"
    for split, place in (("train", "train"), ("val", "valid"), ("test", "test")):
        data = open_data(tmp_path, split)
        assert data.names == (f"{place}__a_jpg.rf.01", f"{place}__b_jpg.rf.01")
        assert data.classes == ("background", "crack")
        assert np.unique(data[0].labels).tolist() == [0, 1]
    (tmp_path / "train" / "a_jpg.rf.01_mask.png").unlink()
    with pytest.raises(DataError, match="a photo without a mask"):
        open_data(tmp_path, "train")
    (tmp_path / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, other\n1, crack\n")
    with pytest.raises(DataError, match="other classes than"):
        open_data(tmp_path, "val")


def test_several_folders_of_roboflow_may_be_one_split(tmp_path):
    for split in ("train", "train2", "valid"):
        roboflow_masks(tmp_path / split, "a")
    names = ("train2__a_jpg.rf.01", "train__a_jpg.rf.01")
    assert tuple(sorted(open_data(tmp_path, "train").names)) == names


def test_roboflows_masks_without_splits(tmp_path):
    roboflow_masks(tmp_path, "abcdef")
    assert len(open_data(tmp_path, "train")) + len(open_data(tmp_path, "val")) == 6
    roboflow_masks(tmp_path, table="Pixel Value, Class\n0, a\nx, b\n")
    with pytest.raises(DataError, match=r"_classes\.csv: the line 'x,b'; expected a value"):
        open_data(tmp_path, "train")
    roboflow_masks(tmp_path, table="filename, cat, dog\na.jpg, 0, 1\n")  # of image classes
    with pytest.raises(DataError, match="not a known layout"):
        open_data(tmp_path)


# Keys of other tools

OTHERS = {
    "label_studio.json": [{"id": 1, "annotations": [{"id": 3}], "data": {"image": "a.jpg"}}],
    "export.json": {"annotations": [{"name": "road", "polygon": {}}], "item": {"name": "a"}},
    "meta.json": {"images": 12, "license": "CC"},
    "stats.json": {"images": ["a.jpg"], "shapes_of_arrays": [3]},
    "dataset.json": {"categories": {"label": []}, "items": []},
    "broken.json": "not JSON",
    "a_first.json": {"version": "5"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_json_file_beside_masks_or_lists_changes_nothing(tmp_path, name):
    content = OTHERS[name]
    text = content if isinstance(content, str) else json.dumps(content)
    plain = pairs(tmp_path / "plain", "abc")
    voc = cvat_masks(tmp_path / "voc", "abc", train="ab", val="c")
    labels = labelme(tmp_path / "labelme")
    for folder in (plain, voc, labels):
        (folder / name).write_text(text)
    assert [recognise(folder) for folder in (plain, voc, labels)] == ["folders", "voc", "labelme"]


def labelme(folder, image_path="{}.jpg", images="images", drawn="drawn"):
    for seed, stem in enumerate("ab"):
        photo(folder / images / f"{stem}.jpg", seed)
        shape = {"label": "car", "points": [[2, 2], [9, 2], [9, 9]], "shape_type": "polygon"}
        content = {"version": "5", "flags": {}, "shapes": [shape]}
        content |= {"imagePath": image_path.format(stem), "imageData": None}
        (folder / drawn).mkdir(exist_ok=True)
        (folder / drawn / f"{stem}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("opened", [".", "drawn"])
@pytest.mark.parametrize(
    "image_path",
    ["{}.jpg", "../images/{}.jpg", "..\\images\\{}.jpg", "C:\\Users\\me\\{}.jpg", "/data/x/{}.jpg"],
)
def test_photos_of_labelme_in_a_folder_of_images(tmp_path, opened, image_path):
    labelme(tmp_path, image_path)
    data = open_data(f"labelme:{tmp_path / opened}")
    assert [np.unique(sample.labels).tolist() for sample in data] == [[0, 1]] * 2


def test_the_nearest_photo_of_labelme_is_taken(tmp_path):
    folder = labelme(tmp_path, "../images/{}.jpg", "x/images", "x/drawn")
    photo(folder / "images" / "a.jpg", seed=9)  # another photo of this name
    found = np.asarray(Image.open(folder / "x" / "images" / "a.jpg"))
    assert np.array_equal(open_data(f"labelme:{folder}")[0].image, found)


def test_a_name_in_brackets_is_no_pattern(tmp_path):
    folder = pairs(tmp_path / "set [1] {a} what?x", "abc")
    (folder / "splits").mkdir()
    for split, names in (("train", "ab"), ("val", "c")):
        (folder / "splits" / f"{split}.txt").write_text("\n".join(names))
    assert detect_format(str(folder)) == ("folders", str(folder))
    assert open_data(folder, "val").names == ("c",)
    voc = cvat_masks(tmp_path / "voc [ab]", "abc", train="ab", val="c")
    (voc / "splits").mkdir()
    (voc / "splits" / "train.txt").write_text("c")
    assert open_data(voc, "train").names == ("c",)
    labels = labelme(tmp_path / "me [*]")
    assert len(open_data(labels)) == 2


def test_links_in_circles_end(tmp_path):
    folder = labelme(tmp_path / "set")
    (folder / "drawn" / "again").symlink_to(folder)
    (folder / "loop").symlink_to("loop")
    (folder / "gone.json").symlink_to("nowhere.json")
    assert recognise(folder) == "labelme"
    stock = inventory(folder)
    assert {pair.name for pair in stock.everything()} >= {"drawn__a", "drawn__b"}
    plain = pairs(tmp_path / "plain", "ab")
    (plain / "images" / "again").symlink_to(plain)
    (plain / "images" / "loop").symlink_to("loop")
    assert open_data(plain).names == ("a", "b")


def test_a_folder_that_is_missing_holds_nothing(tmp_path):
    assert find_images(tmp_path / "gone" / "deep") == []


# Folders that are no data set yet


MISSING = {
    "images/a.JXL images/b.jxl masks/a.png": (
        r"images/ holds 2 \.jxl files, which are not read",
        "save as PNG or JPEG",
    ),
    "images/a.jpg masks/a.npy": (
        r"masks/ holds 1 \.npy file, which is not read",
        "class numbers in 8-bit grey",
    ),
    "images/a.jfif masks/a.png": (r"images/ holds 1 \.jfif file,", r"rename to \.jpg"),
    "images/a.gif masks/a.gif": (r"images/ holds 1 \.gif file,", "save as PNG"),
    "a.JXL b.JXL": (r"it holds 2 \.jxl files", "save as PNG or JPEG"),
    "images/a.jpg images/b.jpg": ("images/ holds 2 photos, but there are no masks", "masks/"),
    "masks/a.png": ("masks/ holds 1 mask, but there are no photos", "images/"),
    "images/ masks/": (
        "holds images, masks, which is not a known layout: images/ and masks/ are empty; expected",
        "put the photos into images/ and their masks, with the same file names, into masks/",
    ),
    "images/ masks/notes.txt": ("images/ and masks/ hold no picture;", "put the photos into"),
    "images/ masks/a.png": ("masks/ holds 1 mask, but images/ is empty;", "photos into images/"),
    "images/a.jpg masks/": ("images/ holds 1 photo, but masks/ is empty;", "masks into masks/"),
    "photos/": (r"photos/ is empty;", "put the photos into photos/ and their masks, .* masks/"),
    "train/images/ train/masks/": (
        "train/images/ and train/masks/ are empty;",
        "put the photos into train/images/",
    ),
    "a.jpg a_mask.png": (
        "it holds 2 pictures, and no masks in a folder",
        "put the photos into images/",
    ),
}


@pytest.mark.parametrize("files", MISSING)
def test_what_is_missing_is_said(tmp_path, files):
    found, remedy = MISSING[files]
    for name in files.split():
        place = tmp_path / name
        (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            place.write_bytes(b"x")
    with pytest.raises(DataError, match=f"{found}.*{remedy}") as caught:
        open_data(tmp_path)
    assert len(str(caught.value)) < 500
    with pytest.raises(DataError, match=found.replace(", which is not a known layout", "")):
        open_data(f"folders:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "content", "tool"),
    [
        ("tasks.json", OTHERS["label_studio.json"], "Label Studio"),
        ("via.json", {"_via_settings": {}, "_via_img_metadata": {}}, "VGG Image Annotator"),
        ("default.json", OTHERS["dataset.json"], "Datumaro"),
    ],
)
def test_files_of_other_tools_are_named(tmp_path, name, content, tool):
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"{name} is a file of {tool}, which is not read"):
        open_data(tmp_path)


def test_the_nearest_layouts_are_named(tmp_path):
    for name in ("JPEGImages", "SegmentationClass"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"are empty; .*or voc \(VOCdevkit") as caught:
        open_data(tmp_path)
    assert "nyud" not in str(caught.value)


def test_pictures_that_are_not_read_are_counted(tmp_path):
    pairs(tmp_path, "abc")
    for name in ("x.JXL", "y.jxl", "z.gif", "a.dng"):  # a.dng is the raw version of a.jpg
        (tmp_path / "images" / name).write_bytes(b"x")
    (problem,) = with_code(inventory(tmp_path), "not-read")
    assert problem.error.found.startswith("2 .jxl, 1 .gif left out") and not problem.fatal
    assert len(open_data(tmp_path)) == 3
    warnings = examine(str(tmp_path), workers=1).of("warning")
    (finding,) = (warning for warning in warnings if warning.code == "not-read")
    assert finding.file == "images" and "save as PNG or JPEG" in finding.remedy


@pytest.mark.parametrize("source", ["x" * 300, "coco:" + "x" * 300, "voc:nothing", "a\0b"])
def test_a_source_that_cannot_be_a_path(source):
    with pytest.raises(DataError):
        open_data(source)


def test_a_broken_table_of_roboflow_is_refused(tmp_path):
    roboflow_masks(tmp_path, table=f'Pixel Value, Class\n0, "{"a" * 200_000}"\n')
    with pytest.raises(DataError, match=r"_classes\.csv: not readable as CSV \(field larger"):
        open_data(tmp_path)


def test_a_key_twice_in_coco_is_refused(tmp_path):
    roboflow_coco(tmp_path, [{"id": 0, "name": "a"}])
    path = tmp_path / "train" / "_annotations.coco.json"
    path.write_text(path.read_text().replace('"image_id": 1', '"image_id": 1, "image_id": 0'))
    with pytest.raises(DataError, match=r"the key 'image_id' is given twice"):
        open_data(tmp_path, "train")
