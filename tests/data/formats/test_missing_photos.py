"""A photo that is missing is counted as missing: no photo of another folder stands for it."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import inventory as scan

BOX = [[2, 2], [8, 2], [8, 6], [2, 6]]  # (x, y)


def photos(folder, *names):
    for shade, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), shade, np.uint8)).save(folder / name)


def coco(folder, *names):
    content = {"categories": [{"id": 1, "name": "car"}]}
    content["images"] = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    content["annotations"] = [
        {
            "id": n,
            "image_id": n,
            "category_id": 1,
            "segmentation": [[number for point in BOX for number in point]],
        }
        for n in range(len(names))
    ]
    (folder / "instances_train.json").write_text(json.dumps(content))


def cvat(folder, *names):
    points = ";".join(f"{x},{y}" for x, y in BOX)
    shape = f'<polygon label="car" points="{points}"/>'
    images = [
        f'<image id="{n}" name="{name}" width="16" height="12">{shape}</image>'
        for n, name in enumerate(names)
    ]
    (folder / "annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")


def labelstudio(folder, *names):
    points = [[100 * x / 16, 100 * y / 12] for x, y in BOX]
    region = {"id": "r", "value": {"points": points, "polygonlabels": ["car"]}}
    annotations = [{"id": 1, "completed_by": 1, "result": [region]}]
    tasks = [
        {"id": n, "data": {"image": name}, "annotations": annotations}
        for n, name in enumerate(names)
    ]
    (folder / "export.json").write_text(json.dumps(tasks))


FORMATS = [coco, cvat, labelstudio]


def found(folder):
    inventory = scan(str(folder))
    missing = [p.error.found for p in inventory.problems if p.error.code == "list-line"]
    return {pair.photo.relative_to(folder).as_posix() for pair in inventory.everything()}, missing


@pytest.mark.parametrize("write", FORMATS)
def test_a_photo_that_is_missing_in_its_folder(tmp_path, write):
    photos(tmp_path, "images/cam1/b.png", "images/cam2/a.png", "images/a.png")
    write(tmp_path, "cam1/a.png", "cam1/b.png", "cam2/a.png")
    files, missing = found(tmp_path)
    assert files == {"images/cam1/b.png", "images/cam2/a.png"}
    assert len(missing) == 1 and "'cam1/a.png'" in missing[0]


@pytest.mark.parametrize("write", FORMATS)
def test_a_whole_path_comes_before_a_folder_that_is_searched_first(tmp_path, write):
    photos(tmp_path, "images/cam1/a.png", "a.png", "images/train/a.png", "images/a.png")
    write(tmp_path, "cam1/a.png")
    assert found(tmp_path) == ({"images/cam1/a.png"}, [])


@pytest.mark.parametrize("write", FORMATS)
def test_folders_of_another_machine_are_left_out(tmp_path, write):
    photos(tmp_path, "images/a.png", "images/b.png")
    write(tmp_path, "/home/me/set/a.png", "C:\\me\\set\\b.png")
    assert found(tmp_path) == ({"images/a.png", "images/b.png"}, [])


@pytest.mark.parametrize("write", FORMATS)
def test_two_records_that_lead_to_one_photo(tmp_path, write):
    photos(tmp_path, "images/a.png", "images/b.png")
    write(tmp_path, "x/a.png", "y/a.png", "b.png", "x/b.png")
    files, missing = found(tmp_path)
    assert files == {"images/b.png"}
    assert len(missing) == 3 and "'x/a.png'" in missing[0] and "'x/b.png'" in missing[2]


def test_a_labelme_photo_that_was_moved_beside_its_file(tmp_path):
    photos(tmp_path, "raw/b.png", "a.png")
    shape = {"label": "car", "points": BOX, "shape_type": "polygon"}
    content = {"imagePath": "../raw/a.png", "imageData": None, "shapes": [shape]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    inventory = scan(str(tmp_path))
    assert inventory.read(inventory.everything()[0]).image.max() == 1


def test_a_list_of_yolo_does_not_name_a_photo_of_another_folder(tmp_path):
    photos(tmp_path, "images/cam1/b.png", "images/a.png", "a.png")
    (tmp_path / "labels" / "cam1").mkdir(parents=True)
    (tmp_path / "labels" / "cam1" / "b.txt").write_text("0 0 0 1 0 1 1\n")
    (tmp_path / "data.yaml").write_text("names: [car]\ntrain: train.txt\nval: train.txt\n")
    (tmp_path / "train.txt").write_text("images/cam1/a.png\nimages/cam1/b.png\n")
    files, missing = found(tmp_path)
    assert files == {"images/cam1/b.png"} and "'images/cam1/a.png'" in missing[0]
