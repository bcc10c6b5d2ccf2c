"""Numbers that no photo has: refused in one short sentence, before anything is allocated."""

import json

import pytest
from PIL import Image

from fullconv.data.formats import open_data
from fullconv.errors import DataError

NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "9" * 5000, "1_0", "1e8"]
SIZES = ["1000000000", "9" * 400, "-1", "0", "1e9", "NaN"]


def write(folder, kind, number="9", size="30"):
    """Write one photo of 20 x 30 pixels with one shape; numbers are written as they are given."""
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (30, 20)).save(folder / "a.png")
    points = f"2, 2, {number}, 2, 9, 9"
    if kind == "coco":
        text = (
            f'{{"images": [{{"id": 1, "file_name": "a.png", "height": 20, "width": {size}}}],'
            f' "annotations": [{{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,'
            f' "segmentation": [[{points}]]}}], "categories": [{{"id": 1, "name": "car"}}]}}'
        )
        (folder / "annotations.json").write_text(text)
    elif kind == "labelme":
        shape = f'{{"label": "car", "points": [[2, 2], [{number}, 2], [9, 9]]}}'
        text = f'"imagePath": "a.png", "imageHeight": 20, "imageWidth": {size}'
        (folder / "a.json").write_text(f'{{"shapes": [{shape}], {text}}}')
    elif kind == "cvat":
        outline = f'<polygon label="car" points="2,2;{number},2;9,9"/>'
        label = "<meta><task><labels><label><name>car</name></label></labels></task></meta>"
        image = f'<image name="a.png" height="20" width="{size}">{outline}</image>'
        (folder / "annotations.xml").write_text(f"<annotations>{label}{image}</annotations>")
    else:
        for part in ("images", "labels"):
            (folder / part).mkdir()
        (folder / "a.png").rename(folder / "images" / "a.png")
        (folder / "labels" / "a.txt").write_text(f"0 0.1 0.1 {number} 0.1 0.5 0.5\n")
        (folder / "data.yaml").write_text("names: [car]\n")
    return f"{kind}:{folder}"


def refused(source):
    with pytest.raises(DataError) as caught:
        open_data(source)[0]
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    return text


@pytest.mark.parametrize("kind", ["coco", "labelme", "cvat", "yolo"])
@pytest.mark.parametrize("number", NUMBERS)
def test_coordinates(tmp_path, kind, number):
    assert "a" in refused(write(tmp_path / "set", kind, number))


@pytest.mark.parametrize("kind", ["coco", "labelme", "cvat"])
@pytest.mark.parametrize("size", SIZES)
def test_sizes(tmp_path, kind, size):
    if kind != "cvat" and size in ("1e9", "NaN"):
        pytest.skip("a size that is not a whole number is ignored, and the photo's is used")
    refused(write(tmp_path / "set", kind, size=size))


@pytest.mark.parametrize("number", ["1_0", "x", "1.5", "\u0661", "9" * 5000, "-1"])
def test_the_class_of_a_line(tmp_path, number):
    source = write(tmp_path / "set", "yolo", "0.3")
    assert open_data(source)[0].labels.any()
    (tmp_path / "set" / "labels" / "a.txt").write_text(f"{number} 0.1 0.1 0.3 0.1 0.5 0.5\n")
    refused(source)


def test_xml_that_is_nested_very_deep(tmp_path):
    source = write(tmp_path / "set", "cvat")
    path = tmp_path / "set" / "annotations.xml"
    deep = "<a>" * 100_000 + "</a>" * 100_000
    path.write_text(path.read_text().replace("</image>", f"</image>{deep}"))
    assert "nested" in refused(source)


def test_json_whose_keys_come_late(tmp_path):
    source = write(tmp_path / "set", "labelme")
    path = tmp_path / "set" / "a.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"imageData": "A" * 3_000_000} | content))
    assert open_data(str(tmp_path / "set"))[0].labels.any()
    assert open_data(source)[0].labels.any()
