"""Shapes that cannot have been drawn on their photo are errors, in every format of drawn labels."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.errors import DataError

HEIGHT, WIDTH = 40, 60
INSIDE = (10, 20, 14, 26)  # top, left, bottom, right
OUTSIDE = (50, 20, 54, 26)
REACHING = (10, 20, 14, 90)


def photo(folder, name="a.png"):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(folder / name)


def corners(box):
    top, left, bottom, right = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def flat(box):
    return [number for point in corners(box) for number in point]


def labelme(folder, box, sized):
    photo(folder)
    content = {"imagePath": "a.png", "imageData": None, "shapes": []}
    content["shapes"].append({"label": "car", "points": corners(box), "shape_type": "polygon"})
    content |= {"imageHeight": HEIGHT, "imageWidth": WIDTH} if sized else {}
    (folder / "a.json").write_text(json.dumps(content))
    return str(folder), r"a\.json: shape 0"


def coco(folder, box, sized):
    photo(folder / "images")
    image = {"id": 1, "file_name": "a.png"} | ({"height": HEIGHT, "width": WIDTH} if sized else {})
    annotation = {"id": 7, "image_id": 1, "category_id": 1, "segmentation": [flat(box)]}
    content = {"images": [image], "annotations": [annotation]}
    content["categories"] = [{"id": 1, "name": "car"}]
    (folder / "instances.json").write_text(json.dumps(content))
    return str(folder), "annotation 7 of a.png"


def cvat(folder, box, sized):
    photo(folder / "images")
    top, left, bottom, right = box
    (folder / "annotations.xml").write_text(
        f'<annotations><image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">'
        f'<box label="car" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"/>'
        "</image></annotations>"
    )
    return str(folder), "image 'a.png': box 0"


def labelstudio(folder, box, sized):
    photo(folder)
    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(box)]
    region = {"id": "r", "type": "polygonlabels"}
    region |= {"original_height": HEIGHT, "original_width": WIDTH} if sized else {}
    region["value"] = {"points": points, "polygonlabels": ["car"]}
    task = {"id": 3, "data": {"image": "a.png"}}
    task["annotations"] = [{"id": 1, "completed_by": 1, "result": [region]}]
    (folder / "export.json").write_text(json.dumps([task]))
    return str(folder), "task 3: region 1"


def yolo(folder, box, sized):
    photo(folder / "images")
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("names: [car]\n")
    numbers = [n / side for n, side in zip(flat(box), [WIDTH, HEIGHT] * 4, strict=True)]
    (folder / "labels" / "a.txt").write_text(" ".join(["0", *map(str, numbers)]) + "\n")
    return f"yolo:{folder}", r"a\.txt: line 1"


FORMATS = [labelme, coco, cvat, labelstudio, yolo]


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("write", FORMATS)
def test_a_shape_outside_of_its_photo_is_an_error(tmp_path, write, sized):
    source, where = write(tmp_path, OUTSIDE, sized)
    with pytest.raises(
        DataError, match=rf"{where}.*a shape outside of its photo, at rows 50 to 54"
    ):
        open_data(source)[0]


@pytest.mark.parametrize("write", FORMATS)
def test_check_reports_it(tmp_path, write):
    findings = examine(write(tmp_path, OUTSIDE, True)[0]).findings
    (finding,) = [one for one in findings if one.code == "labels-refused"]
    assert finding.severity == "error"
    assert "rows 50 to 54 and columns 20 to 26" in finding.found


@pytest.mark.parametrize("write", FORMATS)
def test_a_shape_inside_is_painted(tmp_path, write):
    labels = open_data(write(tmp_path, INSIDE, False)[0])[0].labels
    assert (labels == 1).sum() == 4 * 6 and (labels[10:14, 20:26] == 1).all()


@pytest.mark.parametrize("write", [labelme, coco])
def test_pixels_far_outside_are_an_error_only_without_a_size(tmp_path, write):
    sized, unsized = (write(tmp_path / name, REACHING, bool(name == "s")) for name in "su")
    assert (open_data(sized[0])[0].labels == 1).sum() == 4 * 40
    with pytest.raises(DataError, match=rf"{unsized[1]}.*columns 20 to 90, which reaches far out"):
        open_data(unsized[0])[0]
