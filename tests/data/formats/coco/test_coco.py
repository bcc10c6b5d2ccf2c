import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import open_data, recognise
from fullconv.data.formats.coco.instances import run_counts
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID, voc_palette

SIZE = (20, 30)
SQUARE = [2, 3, 12, 3, 12, 9, 2, 9]  # x, y: 10 wide, 6 high
CATEGORIES = ((7, "car"), (1, "person"), (90, "tree"))


def box(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def photo(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (9, 8, 7)).save(path)


def runs(mask):
    """Uncompressed RLE, written out by a loop."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"counts": counts, "size": list(mask.shape)}


def region(image, category, segmentation, crowd=0, **more):
    return {
        "id": 1000 + image,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": crowd,
        "bbox": [2, 3, 10, 6],
        **more,
    }


def write(path, names, records, categories=CATEGORIES, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [
            {"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for number, name in enumerate(names)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": "thing"} for number, name in categories
        ],
        "annotations": records,
    }
    path.write_text(json.dumps(content | more))


def one(folder, *records, **more):
    write(folder / "annotations.json", ["a.png"], list(records), **more)
    photo(folder / "images" / "a.png")
    return open_data(f"coco:{folder}")


@pytest.fixture
def folder(tmp_path):
    """The layout of coco.org."""
    write(
        tmp_path / "annotations" / "instances_train2017.json",
        ["1.png", "2.png"],
        [region(0, 7, [SQUARE]), region(0, 90, [[4, 4, 6, 4, 6, 6, 4, 6]])],
    )
    write(tmp_path / "annotations" / "instances_val2017.json", ["3.png"], [region(0, 1, [SQUARE])])
    (tmp_path / "annotations" / "captions_val2017.json").write_text("{}")
    for location in ("train2017/1.png", "train2017/2.png", "val2017/3.png"):
        photo(tmp_path / location)
    return tmp_path


def test_classes_follow_the_numbers_of_the_categories(folder):
    assert recognise(folder) == "coco"
    data = open_data(folder, "train")
    assert data.classes == ("background", "person", "car", "tree")
    expected = np.zeros(SIZE, np.uint8)
    expected[3:9, 2:12] = 2
    expected[4:6, 4:6] = 3
    assert np.array_equal(data[0].labels, expected)
    assert data.read.read.painted(data.read.pairs[0]).hidden == {(2, 3): 4}


def test_a_photo_without_annotations_is_all_background(folder):
    data = open_data(folder, "train")
    assert data.names == ("train2017__1", "train2017__2")
    assert data[1].labels.max() == 0


def test_a_split_without_any_annotation_cannot_be_used(folder):
    write(folder / "annotations" / "instances_val2017.json", ["3.png"], [])
    assert len(open_data(folder, "train")) == 2
    with pytest.raises(DataError, match="none of the 1 photo of val has an annotation; expected"):
        open_data(folder, "val")


@pytest.mark.parametrize("other", ["instances_train_2", "instances_more", "instances_val2017"])
def test_annotations_of_one_photo_in_two_files_are_not_lost(folder, other):
    names, more = ["train2017/1.png"], region(0, 1, [[20, 3, 25, 3, 25, 9, 20, 9]])
    first = [region(0, 7, [SQUARE]), region(0, 90, [[4, 4, 6, 4, 6, 6, 4, 6]])]
    write(folder / "annotations" / f"{other}.json", names, first[::-1])
    assert len(open_data(folder)) == (2 if other == "instances_val2017" else 3)  # the same ones
    for records in ([more], [first[0], more]):
        write(folder / "annotations" / f"{other}.json", names, records)
        split = "train" if other == "instances_train_2" else None
        with pytest.raises(DataError, match=r"the photo '1\.png' has other annotations than in "):
            open_data(folder, split)


def test_splits_are_those_of_the_files(folder):
    assert open_data(folder, "val").names == ("val2017__3",)
    assert len(open_data(folder)) == 3
    assert open_data(f"coco:{folder}/annotations/instances_val2017.json").names == ("val2017__3",)
    with pytest.raises(NoSplitError, match="no split 'test'; there are: train, val"):
        open_data(folder, "test")


def test_without_splits_the_split_follows_from_the_names(tmp_path):
    stems = [f"p{number}" for number in range(6)]
    write(tmp_path / "annotations.json", [f"JPEGImages/{stem}.png" for stem in stems], [])
    for stem in stems:
        photo(tmp_path / "JPEGImages" / f"{stem}.png")
    chosen = hash_split(stems)["val"]
    assert open_data(tmp_path, "val").names == tuple(stems[index] for index in chosen)


def test_roboflows_layout(tmp_path):
    for split in ("train", "valid"):
        write(tmp_path / split / "_annotations.coco.json", ["a.png"], [region(0, 7, [SQUARE])])
        photo(tmp_path / split / "a.png")
    assert recognise(tmp_path) == "coco"
    assert open_data(tmp_path, "val").names == ("valid__a",)
    assert open_data(tmp_path).names == ("train__a", "valid__a")


@pytest.mark.parametrize("location", ["images/default", "images", "default", "annotations", "."])
def test_photos_of_a_file_without_split(tmp_path, location):
    write(tmp_path / "annotations" / "instances_default.json", ["a.png"], [region(0, 7, [SQUARE])])
    photo(tmp_path / location / "a.png")
    assert open_data(tmp_path)[0].labels.sum() == 120


def test_parts_of_an_object_are_joined(tmp_path):
    data = one(tmp_path, region(0, 7, [SQUARE, SQUARE, [20, 3, 25, 3, 25, 9, 20, 9]]))
    assert np.array_equal(data[0].labels == 2, box(3, 2, 9, 12) | box(3, 20, 9, 25))


def test_shapes_are_clipped_at_the_border(tmp_path):
    data = one(tmp_path, region(0, 7, [[-9, 3, 99, 3, 99, 9, -9, 9]]))
    assert np.array_equal(data[0].labels == 2, box(3, 0, 9, 30))


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_are_pycocotools(tmp_path, seed):
    masks = pytest.importorskip("pycocotools.mask", reason="needs pycocotools, the oracle")
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((5, 6)) < 0.5, np.ones((4, 5), bool)) ^ (
        rng.random(SIZE) < 0.02 * seed
    )
    packed = masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    for segmentation in (runs(mask), {"counts": packed, "size": list(SIZE)}):
        assert np.array_equal(one(tmp_path, region(0, 7, segmentation))[0].labels == 2, mask)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_long_run_lengths_are_pycocotools():
    masks = pytest.importorskip("pycocotools.mask", reason="needs pycocotools, the oracle")
    counts = [0, 1, 70_000, 3, 2_000_000, 5, 1, 1, 900_000, 29_989]
    packed = masks.frPyObjects({"counts": counts, "size": [3000, 1000]}, 3000, 1000)["counts"]
    assert run_counts(packed.decode()) == counts


@pytest.mark.parametrize("text", ["0`", "\x7f", "é", "o" * 20 + "0", "P0\n"])
def test_broken_compressed_run_lengths(text):
    with pytest.raises(DataError, match="compressed run lengths"):
        run_counts(text)


def test_crowds_are_void_below_all_others(tmp_path):
    crowd = region(0, 7, runs(box(3, 2, 6, 5)), crowd=1)
    labels = one(tmp_path, crowd, region(0, 1, [SQUARE]))[0].labels
    assert (labels == 1).sum() == 60
    assert not (labels == VOID).any()
    labels = one(tmp_path, region(0, 1, [[2, 3, 4, 3, 4, 9, 2, 9]]), crowd)[0].labels
    assert (labels == VOID).sum() == 3


def test_the_box_of_an_object_without_outline_is_void(tmp_path):
    for nothing in ([], None):
        records = [region(0, 7, nothing), region(0, 1, [[2, 3, 4, 3, 4, 9, 2, 9]])]
        labels = one(tmp_path, *records)[0].labels
        assert np.array_equal(labels == VOID, box(3, 4, 9, 12))
        assert (labels == 1).sum() == 12


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (region(0, 7, []), "none of the 1 annotations has an outline"),
        (region(0, 7, [SQUARE], crowd=1), "each of the 1 annotations is marked as a crowd"),
    ],
)
def test_files_that_label_nothing_are_refused(tmp_path, record, message):
    with pytest.raises(DataError, match=message):
        one(tmp_path, record)


def test_an_own_background_is_class_0(tmp_path):
    categories = ((5, "car"), (8, "_background_"), (6, "__ignore__"))
    hole = [4, 4, 6, 4, 6, 6, 4, 6]
    records = region(0, 5, [SQUARE]), region(0, 8, [hole]), region(0, 6, [[20, 3, 25, 3, 25, 9]])
    data = one(tmp_path, *records, categories=categories)
    assert data.classes == ("_background_", "car")
    assert np.array_equal(data[0].labels == 1, box(3, 2, 9, 12) & ~box(4, 4, 6, 6))
    assert (data[0].labels == VOID).any()


def test_colours_of_the_file_are_kept_where_each_class_has_one(tmp_path):
    categories = [
        {"id": 1, "name": "a", "color": [1, 2, 3]},
        {"id": 2, "name": "b", "color": [4, 5, 6]},
        {"id": 3, "name": "background", "color": [7, 8, 9]},
    ]
    path = tmp_path / "annotations.json"
    photo(tmp_path / "a.png")
    for count, expected in ((3, ((7, 8, 9), (1, 2, 3), (4, 5, 6))), (2, voc_palette(3))):
        write(path, ["a.png"], [])
        path.write_text(
            json.dumps(json.loads(path.read_text()) | {"categories": categories[:count]})
        )
        assert open_data(tmp_path).palette == expected


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (region(0, 7, [[1, 2, 3, 4]]), "annotation 1000 of a.png: 2 points where 3 or more"),
        (region(0, 7, [[1, 2, 3, 4, 5]]), "5 numbers, which are not pairs"),
        (region(0, 7, [[1, 2, 3, 4, 5, float("nan")]]), "coordinate nan"),
        (region(0, 7, [[1, 2, 3, 4, 5, "x"]]), "not pairs of numbers"),
        (region(0, 7, SQUARE), "not a list of polygons"),
        (region(0, 7, "x"), "not a list of polygons"),
        (region(0, 7, {"counts": [5], "size": [20, 30]}), "5 pixels where 20 x 30"),
        (region(0, 7, {"counts": "", "size": [20, 30]}), "0 pixels where 20 x 30"),
        (region(0, 7, {"counts": None, "size": [20, 30]}), "run lengths"),
        (region(0, 7, {"counts": [1], "size": [30, 20]}), r"for \[30, 20\] pixels"),
        (region(0, 7, [], bbox=[1, 2]), "a bbox of 2 numbers"),
    ],
)
def test_bad_regions_are_named(tmp_path, record, message):
    good = region(0, 1, [SQUARE])
    with pytest.raises(DataError, match=rf"annotations\.json: .*{message}"):
        one(tmp_path, good, record)[0]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            region(0, 8, [SQUARE]),
            r"category_id 8 is not one of the 3 categories \[1, 7, 90\]",
        ),
        (region(3, 7, [SQUARE]), "image_id 3 is not one of the 1 images"),
        ({"image_id": 0}, "'category_id' is missing"),
        ({"image_id": "0"}, "'image_id' is '0'; expected a whole number"),
        (3, "'image_id' is missing"),
    ],
)
def test_bad_records_are_named_at_once(tmp_path, record, message):
    with pytest.raises(DataError, match=rf"annotations\.json: annotation 0: {message}"):
        one(tmp_path, record)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"categories": ((1, "a"), (1, "b"))}, "the id 1 is also that of 'a'"),
        ({"categories": ((1, "a"), (2, "a"))}, "twice"),
        ({"categories": [(n, f"c{n}") for n in range(255)]}, "256 classes"),
        ({"images": [{"id": 1, "file_name": "a.png"}] * 2}, "the id 1 is also"),
        ({"images": [{"id": 1}]}, "'file_name' is missing"),
        (
            {"images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(5)]},
            r"the photo '0\.jpg' is not under .* \(and 4 more such problems\)",
        ),
        ({"images": []}, "no images"),
        ({"annotations": {}}, "'annotations' is '{}'; expected a list"),
    ],
)
def test_bad_files_are_named(tmp_path, more, message):
    with pytest.raises(DataError, match=rf"annotations\.json: .*{message}"):
        one(tmp_path, **more)


def test_broken_json_is_named(tmp_path):
    (tmp_path / "annotations.json").write_text('{"images": [')
    with pytest.raises(DataError, match=r"annotations\.json: broken JSON.*line 1"):
        open_data(f"coco:{tmp_path}")


def test_different_categories_in_two_files_are_refused(folder):
    path = folder / "annotations" / "instances_val2017.json"
    write(path, ["3.png"], [], categories=CATEGORIES[:2])
    with pytest.raises(DataError, match="different categories"):
        open_data(folder, "train")


def test_a_size_that_differs_from_the_photo_is_an_error(tmp_path):
    data = one(tmp_path, region(0, 7, [SQUARE]))
    photo(tmp_path / "images" / "a.png", (40, 60))
    with pytest.raises(DataError, match=r"drawn on 20 x 30 .* has 40 x 60"):
        data[0]


def test_a_folder_without_coco_files_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no annotations of COCO"):
        open_data(f"coco:{tmp_path}")


def panoptic(folder, segments, *crowds, stem="panoptic_val2017"):
    ids = np.zeros(SIZE, np.int64)
    ids[:10], ids[10:, :5] = 70_000, 300
    pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    (folder / "annotations" / stem).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / "annotations" / stem / "x.png")
    info = [
        {"id": number, "category_id": category, "iscrowd": int(number in crowds)}
        for number, category in segments.items()
    ]
    record = {"image_id": 0, "file_name": "x.png", "segments_info": info}
    write(folder / "annotations" / f"{stem}.json", ["x.jpg"], [record])
    photo(folder / "images" / "val2017" / "x.jpg")


def test_panoptic_segments_are_the_pixels_numbers(tmp_path):
    panoptic(tmp_path, {70_000: 90, 300: 1})
    data = open_data(tmp_path, "val")
    assert data.classes == ("person", "car", "tree")
    expected = np.full(SIZE, VOID)
    expected[:10], expected[10:, :5] = 2, 0
    assert np.array_equal(data[0].labels, expected)


def test_panoptic_crowds_are_void(tmp_path):
    panoptic(tmp_path, {70_000: 90, 300: 1}, 70_000)
    assert set(open_data(tmp_path)[0].labels.ravel().tolist()) == {0, VOID}


def test_a_segment_that_is_not_in_the_list_is_named(tmp_path):
    panoptic(tmp_path, {300: 1})
    with pytest.raises(LabelError, match=r"x\.png: the segment 70000 \(300 pixels\)"):
        open_data(tmp_path)[0]


def test_missing_segments_are_named(tmp_path):
    panoptic(tmp_path, {300: 1})
    (tmp_path / "annotations" / "panoptic_val2017" / "x.png").unlink()
    with pytest.raises(DataError, match=r"its segments x\.png are not under"):
        open_data(tmp_path)


def test_two_kinds_are_a_choice(folder):
    panoptic(folder, {70_000: 90, 300: 1})
    with pytest.raises(
        DataError, match=r"say which: coco:.*\?kind=instances or coco:.*\?kind=panoptic"
    ):
        open_data(folder)
    assert open_data(f"coco:{folder}?kind=panoptic").names == ("val2017__x",)
    assert len(open_data(f"coco:{folder}?kind=instances")) == 3
    with pytest.raises(
        DataError, match="kind 'panoptik' is not one of instances, panoptic, stuff, maps"
    ):
        open_data(f"coco:{folder}?kind=panoptik")
    with pytest.raises(DataError, match="holds only instances, panoptic"):
        open_data(f"coco:{folder}?kind=stuff")


def test_pixels_without_stuff_are_void(tmp_path):
    path = tmp_path / "annotations" / "stuff_train.json"
    write(path, ["a.png"], [region(0, 7, runs(box(3, 2, 9, 12)), crowd=1)])
    photo(tmp_path / "images" / "train" / "a.png")
    data = open_data(tmp_path, "train")
    assert data.classes == ("person", "car", "tree")
    assert np.array_equal(data[0].labels, np.where(box(3, 2, 9, 12), 1, VOID))


@pytest.mark.parametrize(
    "labels", ["0: unlabeled\n1: person\n2: bicycle\n", "0 person\n1 bicycle\n", None]
)
def test_pixel_maps_count_from_the_first_category(tmp_path, labels):
    values = np.zeros(SIZE, np.uint8)
    values[:5], values[5:10] = 1, 255
    location = tmp_path / "stuffthingmaps" / "val2017"
    location.mkdir(parents=True)
    Image.fromarray(values).save(location / "x.png")
    photo(tmp_path / "val2017" / "x.jpg")
    if labels:
        (tmp_path / "labels.txt").write_text(labels)
    else:
        path = tmp_path / "annotations" / "instances_val2017.json"
        write(path, ["x.jpg"], [], categories=((1, "person"), (2, "bicycle")))
    assert recognise(tmp_path) == "coco"
    data = open_data(f"coco:{tmp_path}?kind=maps", "val")
    assert data.classes == ("person", "bicycle")
    assert np.array_equal(data[0].labels, values)


def test_pixel_maps_without_names_are_refused(tmp_path):
    (tmp_path / "stuffthingmaps" / "val2017").mkdir(parents=True)
    with pytest.raises(DataError, match="does not name the classes"):
        open_data(tmp_path)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_labelme2coco_agrees_except_at_borders(shared):
    masks = pytest.importorskip("pycocotools.coco", reason="needs pycocotools, the oracle")
    folder = shared("formats/coco_instances_labelme")
    data = open_data(folder)
    theirs = masks.COCO(str(folder / "annotations.json"))
    assert len(data) == 3
    for sample in data:
        image = next(one for one in theirs.dataset["images"] if sample.name in one["file_name"])
        for record in theirs.imgToAnns[image["id"]]:
            mask = theirs.annToMask(record).astype(bool)
            inside = (sample.labels == record["category_id"]) & mask
            assert inside.sum() > 0.93 * mask.sum()


def test_the_official_layout(shared):
    folder = shared("formats/coco_synthetic")
    data = open_data(folder / "coco_instances")
    assert data.classes == ("background", "a", "b", "c")
    assert data.names == ("train__a", "val__b")
    assert np.bincount(data[1].labels.ravel())[[0, 1, VOID]].tolist() == [30, 2, 18]
    stuff = open_data(folder / "coco_stuff", "train")[0]
    assert np.bincount(stuff.labels.ravel())[[0, VOID]].tolist() == [20, 30]
    panoptic = open_data(folder / "coco_panoptic", "val")[0]
    assert np.bincount(panoptic.labels.ravel())[[0, VOID]].tolist() == [20, 30]
    with pytest.raises(DataError, match=r"5 x 5 pixels .* has 5 x 10"):
        open_data(folder / "coco_panoptic", "train")[0]


def test_annotations_are_found_however_the_file_is_written(tmp_path):
    """After two-byte letters, a byte order mark and blanks, and before the images."""
    photo(tmp_path / "images" / "\N{DOG} ü.png")
    record = region(0, 7, [SQUARE]) | {"note": 'ümläut "] } \\ \N{DOG}'}
    content = {
        "info": {"annotations": ["ä", 1.5, None, True]},
        "annotations": [record, region(0, 1, [[20, 0, 30, 0, 30, 5, 20, 5]])],
        "images": [{"id": 0, "file_name": "\N{DOG} ü.png", "note": "ß"}],
        "categories": [{"id": number, "name": name} for number, name in CATEGORIES],
    }
    path = tmp_path / "annotations" / "instances_train.json"
    path.parent.mkdir()
    expected = box(3, 2, 9, 12) * 2 + box(0, 20, 5, 30)
    for text in (
        json.dumps(content),
        json.dumps(content, ensure_ascii=False),
        json.dumps(content, ensure_ascii=False, indent="\t").replace("\n", " \r\n"),
        "\ufeff" + json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n",
    ):
        path.write_bytes(text.encode("utf-8"))
        assert np.array_equal(open_data(tmp_path)[0].labels, expected)


def test_a_file_that_changes_after_opening_is_an_error(tmp_path):
    path = tmp_path / "annotations" / "instances_train.json"
    photo(tmp_path / "images" / "a.png")
    write(path, ["a.png"], [region(0, 7, [SQUARE])])
    data = open_data(tmp_path)
    path.write_text(" " * 40 + path.read_text())
    with pytest.raises(DataError, match=r"instances_train\.json .*has changed since it was opened"):
        data[0]


def test_outlines_are_not_kept_in_memory(tmp_path):
    ring = [value for step in range(2000) for value in (step % 29 + 0.125, step % 19 + 0.625)]
    path = tmp_path / "annotations" / "instances_train.json"
    names = [f"{number}.png" for number in range(20)]
    for name in names:
        photo(tmp_path / "images" / name)
    write(path, names, [region(number % 20, 7, [ring]) for number in range(100)])
    open_data(tmp_path)  # imports are not measured
    tracemalloc.start()
    try:
        data = open_data(tmp_path)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(data) == 20
    assert path.stat().st_size > 2_000_000
    assert kept < path.stat().st_size / 10
    assert most < path.stat().st_size * 1.5
