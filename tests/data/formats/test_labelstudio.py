"""Exports of Label Studio: brush masks, polygons, rectangles and ellipses, and whose they are."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import inventory, open_data, recognise
from fullconv.data.labels.brush_rle import encode_brush
from fullconv.errors import DataError

SIZE = (20, 40)


def box(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def region(kind, label, size=SIZE, turned=0, **value):
    return {
        "id": f"{kind}{label}{len(str(value))}",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": size[1],
        "original_height": size[0],
        "image_rotation": turned,
        "value": {**value, kind: [label]},
    }


def brush(label, mask, **more):
    return region("brushlabels", label, format="rle", rle=list(encode_brush(mask)), **more)


def polygon(label, *points):
    """Return a polygon, given (row, column) corners in pixels."""
    percent = [[100 * x / SIZE[1], 100 * y / SIZE[0]] for y, x in points]
    return region("polygonlabels", label, points=percent, closed=True)


def annotation(*results, by=1, updated="2026-01-01T00:00:00Z", **more):
    return {
        "id": 1,
        "completed_by": by,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "updated_at": updated,
        **more,
    }


def task(number, *annotations, image=None):
    image = image or f"/data/upload/1/0a1b2c3d-p{number}.png"
    return {"id": number, "annotations": list(annotations), "data": {"image": image}}


def small(number, *results, by=1, updated="2026-01-01T00:00:00Z"):
    """Return a JSON-MIN record."""
    regions = [
        {**item["value"], "original_width": SIZE[1], "original_height": SIZE[0]} for item in results
    ]
    return {
        "image": f"/data/upload/1/0a1b2c3d-p{number}.png",
        "id": number,
        "label": regions,
        "annotator": by,
        "annotation_id": number,
        "updated_at": updated,
    }


def write(folder, *records, photos=(1,), classes=None, places="images"):
    (folder / places).mkdir(parents=True, exist_ok=True)
    for number in photos:
        Image.new("RGB", SIZE[::-1], (9, 8, number)).save(folder / places / f"p{number}.png")
    (folder / "export.json").write_text(json.dumps(list(records)), "utf-8")
    if classes:
        (folder / "classes.txt").write_text("\n".join(classes), "utf-8")
    return folder


def labels(folder, *results):
    return open_data(write(folder, task(1, annotation(*results))))[0].labels


def test_a_brush_mask_is_the_labels(tmp_path):
    mask = np.random.default_rng(0).random(SIZE) < 0.3
    folder = write(tmp_path, task(1, annotation(brush("car", mask))))
    assert recognise(folder) == "labelstudio"
    data = open_data(folder)
    assert data.classes == ("background", "car") and data.names == ("p1",)
    assert np.array_equal(data[0].labels, mask)


def test_polygons_and_rectangles_are_percent(tmp_path):
    found = labels(tmp_path, polygon("car", (4, 10), (4, 30), (14, 30), (14, 10)))
    assert np.array_equal(found, box(4, 10, 14, 30))
    shape = region("rectanglelabels", "car", x=25, y=20, width=50, height=50, rotation=0)
    assert np.array_equal(labels(tmp_path, shape), box(4, 10, 14, 30))


def test_a_rectangle_turns_clockwise_around_its_corner(tmp_path):
    # 20 wide and 4 high from row 2, column 30: a quarter turn puts it below and left of there.
    shape = region("rectanglelabels", "car", x=75, y=10, width=25, height=20, rotation=90)
    assert np.array_equal(labels(tmp_path, shape), box(2, 26, 12, 30))


def test_an_ellipse_has_its_area(tmp_path):
    shape = region("ellipselabels", "car", x=50, y=50, radiusX=25, radiusY=40, rotation=0)
    found = labels(tmp_path, shape)
    assert found[10, 20] == 1 and found[10, 31] == 0 and found[0, 20] == 0
    assert found.sum() == pytest.approx(np.pi * 10 * 8, rel=0.03)


def test_later_regions_are_on_top_as_on_the_screen(tmp_path):
    small_box, large = box(5, 5, 10, 10), box(0, 0, 20, 20)
    found = labels(tmp_path, brush("b", small_box), brush("a", large))
    assert np.array_equal(found, large), "the last stroke counts, also over a smaller region"
    found = labels(tmp_path, brush("a", large), brush("b", small_box))
    assert np.array_equal(found, np.where(small_box, 2, large))


def test_a_brush_beside_labels_gives_one_region(tmp_path):
    """Brush and Labels as two tags: the shape alone, and the shape with its label, have one id."""
    one = brush("car", box(1, 1, 5, 5))
    shape = {**one, "type": "brush", "value": {k: one["value"][k] for k in ("format", "rle")}}
    named = {**one, "type": "labels", "value": {**shape["value"], "labels": ["car"]}}
    assert np.array_equal(labels(tmp_path, shape, named), box(1, 1, 5, 5))


def test_what_has_no_pixels_is_left_out(tmp_path):
    choice = {"id": "x", "type": "choices", "value": {"choices": ["night"]}}
    assert np.array_equal(labels(tmp_path, choice, brush("car", box(1, 1, 5, 5))), box(1, 1, 5, 5))


def test_json_min_gives_the_same_labels(tmp_path):
    shapes = [brush("car", box(0, 0, 9, 9)), polygon("bus", (4, 10), (4, 30), (14, 30), (14, 10))]
    full = open_data(write(tmp_path / "full", task(1, annotation(*shapes))))
    least = open_data(write(tmp_path / "min", small(1, *shapes)))
    assert recognise(tmp_path / "min") == "labelstudio" and least.classes == full.classes
    assert np.array_equal(full[0].labels, least[0].labels) and full[0].labels.max() == 2


@pytest.mark.parametrize("record", ["full", "min"])
def test_the_newest_annotation_counts_and_others_are_counted(tmp_path, record):
    first, second = brush("car", box(0, 0, 5, 5)), brush("car", box(9, 9, 20, 20))
    if record == "full":
        new = annotation(second, by={"id": 7, "email": "a@b.c"}, updated="2026-02-01T00:00:00Z")
        records = [task(1, new, annotation(first))]
    else:
        records = [small(1, second, by=7, updated="2026-02-01T00:00:00Z"), small(1, first)]
    folder = write(tmp_path, *records)
    data = open_data(folder)
    assert np.array_equal(data[0].labels, box(9, 9, 20, 20))
    assert "1 annotation left out" in data.warnings[0] and "the newest" in data.warnings[0]
    assert np.array_equal(open_data(f"labelstudio:{folder}?annotator=1")[0].labels, box(0, 0, 5, 5))
    assert np.array_equal(open_data(f"labelstudio:{folder}?annotator=7")[0].labels, data[0].labels)
    if record == "full":
        chosen = open_data(f"labelstudio:{folder}?annotator=a@b.c")
        assert np.array_equal(chosen[0].labels, data[0].labels)
    with pytest.raises(DataError, match=r"none of 1 task has an annotation of '8'"):
        open_data(f"labelstudio:{folder}?annotator=8")


def test_the_ground_truth_counts_more_than_the_newest(tmp_path):
    marked = annotation(brush("car", box(0, 0, 5, 5)), ground_truth=True)
    newer = annotation(brush("car", box(9, 9, 20, 20)), updated="2026-02-01T00:00:00Z")
    data = open_data(write(tmp_path, task(1, marked, newer)))
    assert np.array_equal(data[0].labels, box(0, 0, 5, 5))


def test_skipped_and_open_tasks_are_left_out_and_counted(tmp_path):
    drawn = annotation(brush("car", box(0, 0, 5, 5)))
    predicted = {**task(3), "predictions": [{"result": [brush("car", box(0, 0, 9, 9))]}]}
    skipped = task(2, annotation(brush("car", box(0, 0, 9, 9)), was_cancelled=True))
    data = open_data(write(tmp_path, task(1, drawn), skipped, predicted, photos=(1, 2, 3)))
    assert data.names == ("p1",)
    text = " ".join(data.warnings)
    assert "1 task left out, without an annotation" in text
    assert "1 task left out: skipped" in text
    with pytest.raises(DataError, match=r"none of 1 task has an annotation; expected .*submitted"):
        open_data(write(tmp_path / "open", predicted, photos=(3,)))


def test_an_annotation_without_regions_is_all_background(tmp_path):
    folder = write(
        tmp_path,
        task(1, annotation()),
        task(2, annotation(brush("car", box(0, 0, 5, 5)))),
        photos=(1, 2),
    )
    assert not open_data(folder)[0].labels.any()


def test_unlabeled_pixels_may_be_ignored(tmp_path):
    mask = box(0, 0, 20, 20)
    folder = write(
        tmp_path,
        task(1, annotation(brush("sky", mask), brush("road", box(0, 20, 20, 30)))),
        classes=["sky", "road"],
    )
    assert open_data(folder).classes == ("background", "sky", "road")
    data = open_data(f"labelstudio:{folder}?unlabeled=ignore")
    assert data.classes == ("sky", "road")
    assert np.unique(data[0].labels[:, 30:]).tolist() == [255] and (data[0].labels == 0)[mask].all()


def test_an_undeclared_background_is_not_the_first_class(tmp_path):
    record = task(1, annotation(brush("background", box(0, 0, 20, 20))))
    folder = write(tmp_path, record, classes=["sky", "road"])
    with pytest.raises(DataError, match="the class 'background' is not one of sky, road"):
        open_data(f"labelstudio:{folder}?unlabeled=ignore")[0]


def test_the_configuration_gives_classes_and_colours(tmp_path):
    folder = write(tmp_path, task(1, annotation(brush("car", box(0, 0, 5, 5)))))
    (folder / "label_config.xml").write_text(
        '<View><Image name="image" value="$image"/><BrushLabels name="label" toName="image">'
        '<Label value="background" background="#000000"/><Label value="bus" background="#0000ff"/>'
        '<Label value="car" background="#ff0000"/></BrushLabels></View>'
    )
    data = open_data(folder)
    assert data.classes == ("background", "bus", "car")
    assert data.palette == ((0, 0, 0), (0, 0, 255), (255, 0, 0))
    assert np.array_equal(data[0].labels == 2, box(0, 0, 5, 5))


@pytest.mark.parametrize(
    "image",
    [
        "/data/local-files/?d=work/images/p1.png",
        "/data/local-files/?d=p%31.png",
        "https://labels.example/data/upload/3/ffffffff-p1.png",
        "s3://bucket/folder/p1.png",
        "images/p1.png",
        "C:\\photos\\p1.png",
    ],
)
def test_photos_are_found_by_their_names(tmp_path, image):
    folder = write(tmp_path, task(1, annotation(brush("car", box(0, 0, 5, 5))), image=image))
    assert open_data(folder).names == ("p1",)


def test_a_date_within_a_name_is_not_taken_for_the_mark_of_an_upload(tmp_path):
    drawn = task(1, annotation(brush("car", box(0, 0, 5, 5))), image="p20260101-1.png")
    folder = write(tmp_path, drawn, photos=(1,))  # p1.png, another photo
    with pytest.raises(DataError, match=r"p20260101-1\.png' is not in"):
        open_data(folder)


def test_a_photo_elsewhere_is_never_opened(tmp_path):
    write(tmp_path / "secret", photos=(1,), places=".")
    image = f"/data/local-files/?d={tmp_path}/secret/p1.png"
    drawn = task(1, annotation(brush("car", box(0, 0, 5, 5))), image=image)
    with pytest.raises(DataError, match=r"task 1: its photo '/.* is not in .*data; expected one"):
        open_data(write(tmp_path / "data", drawn, photos=()))
    near = task(1, annotation(brush("car", box(0, 0, 5, 5))), image="../secret/p1.png")
    with pytest.raises(DataError, match="is not in"):
        open_data(write(tmp_path / "data", near, photos=()))


def test_one_file_is_opened_among_several(tmp_path):
    folder = write(tmp_path, task(1, annotation(brush("car", box(0, 0, 5, 5)))))
    (folder / "later.json").write_text(
        json.dumps([task(1, annotation(brush("car", box(0, 0, 9, 9))))])
    )
    with pytest.raises(DataError, match=r"task 1 and task 1 have one photo, 'p1.png'"):
        open_data(folder)
    found = open_data(f"labelstudio:{folder}/later.json")
    assert np.array_equal(found[0].labels, box(0, 0, 9, 9))


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([brush("", box(0, 0, 1, 1))], "region 1: a region without a label"),
        ([region("brushlabels", "car", rle=[1, 2, 300])], "not a list of bytes"),
        ([region("brushlabels", "car", rle="abc")], "'rle'"),
        ([brush("car", np.ones((3, 3), bool))], r"36 values where 20 x 40"),
        ([brush("car", box(0, 0, 1, 1), turned=90)], "drawn on a rotated photo"),
        ([region("polygonlabels", "car", points=[[1, 2]])], "1 point where 3 or more"),
        ([region("keypointlabels", "car", x=1, y=2, width=1)], "expected a brush mask, a polygon"),
        ([region("rectanglelabels", "car", x="1", y=2, width=1, height=1)], "'x'"),
        ([region("ellipselabels", "car", x=1, y=2, radiusX=0, radiusY=1)], "more than 0"),
        ([{"id": "a", "type": "brushlabels"}], "'value'"),
        ([7], "region 1: not an object"),
        ([{**brush("car", box(0, 0, 1, 1)), "value": {"brushlabels": ["a", "b"]}}], "2 labels"),
        ([brush("car", box(0, 0, 1, 1), size=(21, 40))], "drawn on 21 x 40 pixels"),
    ],
)
def test_wrong_regions_are_named(tmp_path, results, message):
    folder = write(tmp_path, task(1, annotation(*results)), classes=["car"])
    with pytest.raises(DataError, match=message) as error:
        open_data(folder)[0]
    assert "task 1" in str(error.value)


def test_an_undeclared_class_is_named(tmp_path):
    folder = write(tmp_path, task(1, annotation(brush("cat", box(0, 0, 1, 1)))), classes=["car"])
    with pytest.raises(DataError, match=r"'cat' is not one of background, car"):
        open_data(folder)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"completed_by": 1,', "broken JSON"),
        ('[{"was_cancelled": 1, "id": 4, "data": {}}]', r"task 4: .*'annotations'"),
        ('[{"completed_by": 1, "annotations": [], "data": {"text": "x"}}]', "0 photos in the task"),
        ('[{"completed_by": 1, "annotations": [3], "data": {"image": "a.png"}}]', "'result'"),
    ],
)
def test_broken_files_are_refused_with_the_task(tmp_path, text, message):
    write(tmp_path)
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(DataError, match=message):
        open_data(tmp_path)


def test_options_are_checked(tmp_path):
    folder = write(tmp_path, task(1, annotation(brush("car", box(0, 0, 5, 5)))))
    for option in ("annotators=1", "annotator=", "unlabeled=void"):
        with pytest.raises(DataError, match="expected annotator=NUMBER or E-MAIL"):
            open_data(f"labelstudio:{folder}?{option}")
    with pytest.raises(DataError, match="there is no data at"):
        open_data(f"labelstudio:{tmp_path}/nothing?annotator=1")


def test_every_bad_task_is_a_problem(tmp_path):
    good = task(1, annotation(brush("car", box(0, 0, 5, 5))))
    lost = task(9, annotation(brush("car", box(0, 0, 5, 5))))
    found = inventory(write(tmp_path, good, lost, {"id": 5, "data": {}, "annotations": 1}))
    assert [problem.fatal for problem in found.problems] == [True, True]


POLYGONS = """<View><Image name="image" value="$image"/><PolygonLabels name="label" toName="image">
<Label value="bus"/><Label value="car"/></PolygonLabels></View>"""


@pytest.mark.slow  # importing label-studio-sdk takes half a minute
@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_label_studios_own_exports_to_other_formats(tmp_path, kind):
    """Its converter writes COCO and YOLO, which the formats of these names read."""
    converter = pytest.importorskip("label_studio_sdk.converter", reason="its own exports")
    corners = ((4, 10), (4, 30), (14, 30), (14, 10))
    shapes = [polygon("car", *corners), polygon("bus", (15, 0), (15, 9), (19, 9), (19, 0))]
    images = tmp_path / "photos"
    images.mkdir()
    Image.new("RGB", SIZE[::-1], (9, 8, 7)).save(images / "p1.png")
    export = tmp_path / "export.json"
    export.write_text(json.dumps([task(1, annotation(*shapes), image=str(images / "p1.png"))]))
    made = converter.Converter(POLYGONS, str(tmp_path), download_resources=False)
    out = tmp_path / kind
    (out / "images").mkdir(parents=True)
    (out / "images" / "p1.png").write_bytes((images / "p1.png").read_bytes())
    write = made.convert_to_coco if kind == "coco" else made.convert_to_yolo
    write(str(export), str(out), output_image_dir=str(out / "images"), is_dir=False)
    data = open_data(out)
    assert recognise(out) == kind and data.classes == ("background", "bus", "car")
    assert np.array_equal(data[0].labels == 2, box(4, 10, 14, 30))
    assert np.array_equal(data[0].labels == 1, box(15, 0, 19, 9))


@pytest.mark.parametrize("place", ["set/images", "set", "images"])
def test_names_do_not_depend_on_how_the_folder_is_written(tmp_path, monkeypatch, place):
    records = [
        task(number, annotation(polygon("car", (2, 2), (2, 9), (9, 9))), image=name)
        for number, name in ((1, f"{'images/' * (place != 'set')}p1.png"), (2, "p2.png"))
    ]
    folder = write(tmp_path / "set", *records, photos=())
    (tmp_path / place).mkdir(exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", SIZE[::-1], (9, 8, number)).save(tmp_path / place / f"p{number}.png")
    names = open_data(folder).names
    monkeypatch.chdir(tmp_path)
    assert open_data("set").names == names
    monkeypatch.chdir(folder)
    assert open_data("../set").names == names
