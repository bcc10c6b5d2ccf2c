"""A faulty entry of an annotation file or list is named and does not hide the others."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks import examine
from fullconv.data.formats import inventory, open_data
from fullconv.errors import DataError
from inventories import with_code

NAMES = tuple(f"photo{number}" for number in range(6))
SIZE = (20, 30)


def draw(folder, names=NAMES):
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise).save(folder / f"{name}.png")


def coco(folder, names=NAMES, kind="instances"):
    images = [
        {"id": n, "file_name": f"{name}.png", "height": 20, "width": 30}
        for n, name in enumerate(names)
    ]
    square = {"segmentation": [[2, 2, 9, 2, 9, 9]], "iscrowd": 0, "category_id": 1}
    records = [{"id": n, "image_id": n, **square} for n in range(len(names))]
    (folder / "annotations").mkdir()
    content = {"images": images, "annotations": records, "categories": [{"id": 1, "name": "car"}]}
    (folder / "annotations" / f"{kind}_train.json").write_text(json.dumps(content))


def panoptic(folder):
    coco(folder, kind="panoptic")
    path = folder / "annotations" / "panoptic_train.json"
    content = json.loads(path.read_text())
    content["annotations"] = [
        {
            "image_id": n,
            "file_name": f"{name}.png",
            "segments_info": [{"id": 1, "category_id": 1}],
        }
        for n, name in enumerate(NAMES)
    ]
    path.write_text(json.dumps(content))
    masks = folder / "annotations" / "panoptic_train"
    masks.mkdir()
    for name in NAMES:
        Image.new("RGB", SIZE[::-1], (1, 0, 0)).save(masks / f"{name}.png")


def cvat(folder, names=NAMES):
    images = "".join(f'<image name="{name}.png" width="30" height="20"/>' for name in names)
    label = "<meta><task><labels><label><name>car</name></label></labels></task></meta>"
    (folder / "annotations.xml").write_text(f"<annotations>{label}{images}</annotations>")


def labelme(folder):
    for name in NAMES:
        shape = {"label": "car", "points": [[2, 2], [9, 2], [9, 9]], "shape_type": "polygon"}
        content = {"shapes": [shape], "imagePath": f"../images/{name}.png"}
        (folder / "drawn").mkdir(exist_ok=True)
        (folder / "drawn" / f"{name}.json").write_text(json.dumps(content))


def yolo(folder):
    (folder / "labels").mkdir()
    for name in NAMES:
        (folder / "labels" / f"{name}.txt").write_text("0 0.1 0.1 0.3 0.1 0.3 0.3\n")
    (folder / "data.yaml").write_text("train: train.txt\nnames: [car]\n")
    (folder / "train.txt").write_text("".join(f"images/{name}.png\n" for name in NAMES))


def lose_photo(folder):
    (folder / "images" / "photo2.png").unlink()


def lose_segments(folder):
    (folder / "annotations" / "panoptic_train" / "photo2.png").unlink()


def name_twice(write):
    def change(folder):
        for path in [*folder.rglob("*.json"), *folder.rglob("*.xml")]:
            path.unlink()
            if path.parent != folder:
                path.parent.rmdir()
        write(folder, (*NAMES, "photo3"))

    return change


def break_json(folder):
    (folder / "drawn" / "photo2.json").write_text('{"shapes": [')


def list_unknown(folder):
    lines = [f"photo{number}" for number in (0, 1, 9, 2)]
    (folder / "drawn" / "train.txt").write_text("\n".join(lines))


CASES = {
    "coco, no photo": (coco, lose_photo, "", "'photo2.png' is not under", 5),
    "coco, two images": (coco, name_twice(coco), "", "'photo3.png' is that of two images", 6),
    "panoptic, no photo": (panoptic, lose_photo, "", "'photo2.png' is not under", 5),
    "panoptic, no segments": (panoptic, lose_segments, "", "its segments photo2.png are not", 5),
    "cvat, no photo": (cvat, lose_photo, "", "'photo2.png' is not under", 5),
    "cvat, two images": (cvat, name_twice(cvat), "", "two <image> of one photo, 'photo3.png'", 6),
    "labelme, a list": (labelme, list_unknown, "drawn", "'photo9' is the name of no sample", 3),
    "yolo, no photo": (yolo, lose_photo, "", "there is no photo 'images/photo2.png'", 5),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request, tmp_path):
    write, change, location, found, left = request.param
    draw(tmp_path / "images")
    write(tmp_path)
    return tmp_path, change, str(tmp_path / location), found, left


def pairs_of(stock):
    return [pair.name for pairs in stock.splits.values() for pair in pairs]


def test_a_faulty_entry_is_named_and_the_others_are_kept(case):
    folder, change, source, found, left = case
    whole = inventory(source)
    assert len(pairs_of(whole)) == 6
    assert not whole.problems
    change(folder)
    stock = inventory(source)
    (problem,) = with_code(stock, "list-line")
    assert found in problem.error.found
    assert len({*pairs_of(stock)}) == len(pairs_of(stock)) == left
    assert not with_code(stock, "not-readable")
    for pairs in stock.splits.values():
        for pair in pairs:
            assert stock.read(pair).labels.shape == SIZE


def test_training_refuses_what_the_inventory_lists_and_the_check_reports_it(case):
    folder, change, source, *_ = case
    change(folder)
    with pytest.raises(DataError) as caught:
        open_data(source, "train")
    assert "photo" in str(caught.value)
    assert examine(source, "train", workers=1).of("error")


def test_a_broken_labelme_file_does_not_hide_the_classes_of_others(tmp_path):
    draw(tmp_path / "images")
    labelme(tmp_path)
    break_json(tmp_path)
    stock = inventory(str(tmp_path / "drawn"))
    assert len(pairs_of(stock)) == 6
    assert stock.resolve([], np.array)[0] == ("_background_", "car")
    broken = next(p for pairs in stock.splits.values() for p in pairs if p.name == "photo2")
    with pytest.raises(DataError, match="broken JSON"):
        stock.read(broken)


def test_without_a_readable_file_there_is_no_inventory(tmp_path):
    labelme(tmp_path)
    for path in (tmp_path / "drawn").glob("*.json"):
        path.write_text("{")
    with pytest.raises(DataError, match="broken JSON"):
        inventory(f"labelme:{tmp_path / 'drawn'}")
    draw(tmp_path / "images")
    coco(tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"'photo0.png' is not under"):
        inventory(f"coco:{tmp_path}")


def test_all_missing_photos_are_named(tmp_path):
    cvat(tmp_path)
    stock = inventory(str(tmp_path))
    assert len(with_code(stock, "list-line")) == 6 and pairs_of(stock) == []
