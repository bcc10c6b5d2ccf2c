"""What a file names is looked for in the data set only, whatever path it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks import examine
from fullconv.data.formats import inventory, open_data
from fullconv.errors import DataError

WAYS = {
    "above": "../secret.png",
    "far above": "../../../../../../../../{outside}",
    "absolute": "{outside}",
    "in the middle": "images/../../secret.png",
    "backslashes": "..\\..\\secret.png",
    "long": "x" * 300 + ".png",
    "very long": "y/" * 50_000 + "z.png",
    "NUL": "a\0b.png",
    "empty": "",
}


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20), (9, 8, 7)).save(path)
    return path


def coco(folder, name):
    square = {"segmentation": [[2, 2, 9, 2, 9, 9]], "iscrowd": 0, "category_id": 1}
    content = {
        "images": [
            {"id": 0, "file_name": "a.png", "height": 20, "width": 30},
            {"id": 1, "file_name": name, "height": 20, "width": 30},
        ],
        "annotations": [{"id": n, "image_id": n, **square} for n in (0, 1)],
        "categories": [{"id": 1, "name": "car"}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))


def cvat(folder, name):
    shown = name.replace("\0", "")
    images = "".join(
        f'<image name="{text}" subset="{subset}" width="30" height="20"/>'
        for text, subset in (("a.png", ""), (shown, ""), ("secret.png", "../.."))
    )
    label = "<meta><task><labels><label><name>car</name></label></labels></task></meta>"
    (folder / "annotations.xml").write_text(f"<annotations>{label}{images}</annotations>")


def labelme(folder, name):
    for stem, text in (("a", "a.png"), ("b", name)):
        shape = {"label": "car", "points": [[2, 2], [9, 2], [9, 9]], "shape_type": "polygon"}
        (folder / f"{stem}.json").write_text(json.dumps({"shapes": [shape], "imagePath": text}))


def yolo(folder, name):
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 0.1 0.1 0.3 0.1 0.3 0.3\n")
    (folder / "data.yaml").write_text("train: train.txt\nnames: [car]\n")
    (folder / "train.txt").write_text(f"images/a.png\n{name or 'gone.png'}\n")


def yaml_place(folder, name):
    yolo(folder, "")
    place = json.dumps(name[:3000].replace("secret.png", "outside"))
    (folder / "data.yaml").write_text(f"train: images\nval: {place}\nnames: [car]\n")


def folders(folder, name):
    Image.new("L", (30, 20)).save(photo(folder / "masks" / "a.png"))
    (folder / "train.txt").write_text(f"images/a.png masks/a.png\n{name or 'gone'} masks/a.png\n")


@pytest.mark.parametrize("write", [coco, cvat, labelme, yolo, yaml_place, folders])
@pytest.mark.parametrize("way", WAYS)
def test_no_file_outside_is_opened(tmp_path, write, way):
    folder = tmp_path / "a" / "set"
    photo(folder / "images" / "a.png")
    for place in (tmp_path, tmp_path / "a"):
        photo(place / "secret.png")
        photo(place / "outside" / "secret.png")
    name = WAYS[way].format(outside=tmp_path / "secret.png")
    write(folder, name)
    stock = inventory(folder)
    pairs = [pair for pairs in stock.splits.values() for pair in pairs]
    for pair in pairs:
        assert pair.photo.resolve().is_relative_to(folder)
    if write is labelme:  # its photos are looked up when they are read
        b = next(pair for pair in pairs if pair.name == "b")
        with pytest.raises(DataError, match="photo") as caught:
            stock.read(b)
        assert len(str(caught.value)) < 700
    elif (write, way) != (yaml_place, "empty"):
        assert any(problem.fatal for problem in stock.problems)
        with pytest.raises(DataError) as caught:
            open_data(folder, "val" if write is yaml_place else "train")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 4000
    if way in ("above", "long"):
        assert examine(str(folder), workers=1).of("error") or examine(str(folder), "train").findings


def test_paths_of_another_machine_are_found_by_their_end(tmp_path):
    for split in ("train", "valid"):
        photo(tmp_path / split / "images" / f"{split}.png")
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}.txt").write_text("0 .1 .1 .6 .1 .6 .6\n")
    for start in ("/content/datasets/data/", "../", "./", "C:\\data\\", "datasets/mine/", ""):
        lines = [f"{key}: '{start}{split}/images'" for key, split in PLACES]
        (tmp_path / "data.yaml").write_text("\n".join([*lines, "nc: 1", "names: [car]"]))
        for key, split in PLACES:
            assert open_data(tmp_path, key).names == (f"{split}__{split}",)
    (tmp_path / "data.yaml").write_text("path: ../sets/x\ntrain: train/images\nnames: [car]")
    assert open_data(tmp_path, "train").names == ("train__train",)


PLACES = (("train", "train"), ("val", "valid"))


def test_the_end_of_a_path_must_tell_splits_apart(tmp_path):
    photo(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 .1 .1 .6 .1 .6 .6\n")
    lines = "train: /data/train/images\nval: /data/val/images\nnames: [car]\n"
    (tmp_path / "data.yaml").write_text(lines)
    with pytest.raises(DataError, match="is not a folder or a list of photos under"):
        open_data(tmp_path, "train")


def test_a_folder_elsewhere_is_said_to_be_there(tmp_path):
    photo(tmp_path / "elsewhere" / "images" / "a.png")
    folder = tmp_path / "set"
    yolo_folder = photo(folder / "images" / "a.png").parents[1]
    (yolo_folder / "labels").mkdir()
    (yolo_folder / "labels" / "a.txt").write_text("0 .1 .1 .6 .1 .6 .6\n")
    (folder / "data.yaml").write_text(f"train: {tmp_path}/elsewhere/photos\nnames: [car]\n")
    (tmp_path / "elsewhere" / "images").rename(tmp_path / "elsewhere" / "photos")
    with pytest.raises(DataError, match=r"it exists outside of .*open the folder that holds both"):
        open_data(folder, "train")


def test_images_of_a_pair_are_those_that_are_named(tmp_path):
    """A list of another machine pairs files by the ends of their paths."""
    folders(tmp_path, "")
    photo(tmp_path / "images" / "a.png")
    (tmp_path / "train.txt").write_text("/x/y/images/a.png /x/y/masks/a.png\n")
    assert np.array_equal(open_data(tmp_path, "train")[0].labels, np.zeros((20, 30)))
