import base64
import io
import json
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image, ImageOps

from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError
from fullconv.io.palettes import VOID

SIZE = (20, 30)
SQUARE = [[2, 3], [12, 3], [12, 9], [2, 9]]  # (x, y): 10 wide, 6 high


def photo(path, size=SIZE, orientation=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.arange(size[0] * size[1] * 3).reshape(*size, 3) % 251
    Image.fromarray(pixels.astype(np.uint8)).save(path, exif=exif)
    return path


def shape(label, points=SQUARE, kind="polygon", **more):
    return {
        "label": label,
        "points": points,
        "shape_type": kind,
        "flags": {},
        "group_id": 1,
        **more,
    }


def write(folder, stem, *shapes, size=SIZE, image_path=None, image_data=None, **more):
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "version": "5.7.0",
        "flags": {"checked": True},
        "shapes": list(shapes),
        "imagePath": image_path or f"{stem}.png",
        "imageData": image_data,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(content | more, ensure_ascii=False), "utf-8")
    return path


def encoded(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "drawn"


def one(folder, *shapes, **more):
    write(folder, "a", *shapes, **more)
    if not (folder / "a.png").exists():
        photo(folder / "a.png")
    return open_data(f"labelme:{folder}")


def box(top, left, bottom, right, size=SIZE):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_classes_are_those_of_all_files(folder):
    for stem, name in (("a", "tree"), ("b", "car"), ("c", "road")):
        write(folder, stem, shape(name))
        photo(folder / f"{stem}.png")
    data = open_data(folder)
    assert recognise(folder) == "labelme"
    assert data.classes == ("_background_", "car", "road", "tree")
    assert [sample.labels.max() for sample in data] == [3, 1, 2]
    assert open_data(folder, "train").classes == open_data(folder, "val").classes == data.classes


def test_a_list_of_classes_takes_precedence(folder):
    folder.mkdir()
    (folder / "labels.txt").write_text("__ignore__\n_background_\nroad\ntree\ncar\n")
    data = one(
        folder,
        shape("tree"),
        shape("__ignore__", [[3, 4], [6, 4], [6, 7], [3, 7]]),
        shape("_background_", [[8, 5], [10, 5], [10, 6], [8, 6]]),
    )
    assert data.classes == ("_background_", "road", "tree", "car")
    counts = np.bincount(data[0].labels.ravel())
    assert counts[[0, 2, VOID]].tolist() == [600 - 60 + 2, 60 - 9 - 2, 9]


def test_a_list_without_background_gets_it_first(folder):
    folder.mkdir()
    (folder / "classes.txt").write_text("0 road #804080\n1 tree #006400\n")
    assert one(folder, shape("tree")).classes == ("_background_", "road", "tree")


def test_colours_of_the_list_are_kept(folder):
    folder.mkdir()
    (folder / "classes.txt").write_text("0 _background_ #101010\n1 road #804080\n")
    assert one(folder, shape("road")).palette == ((16, 16, 16), (128, 64, 128))


@pytest.mark.parametrize(
    ("kind", "points", "expected"),
    [
        ("polygon", SQUARE, box(3, 2, 9, 12)),
        (None, SQUARE, box(3, 2, 9, 12)),
        ("rectangle", [[12, 9], [2, 3]], box(3, 2, 9, 12)),
        ("rectangle", SQUARE, box(3, 2, 9, 12)),
        ("oriented_rectangle", SQUARE, box(3, 2, 9, 12)),
        ("line", [[4, 10], [14, 10]], box(5, 4, 15, 14)),
        ("linestrip", [[4, 10], [14, 10]], box(5, 4, 15, 14)),
        ("polygon", [[-50, 3], [12, 3], [12, 90], [-50, 90]], box(3, 0, 20, 12)),
    ],
)
def test_straight_shapes(folder, kind, points, expected):
    data = one(folder, shape("x", points, kind))
    assert np.array_equal(data[0].labels == 1, expected)


@pytest.mark.parametrize(
    ("kind", "points", "centres", "radius"),
    [
        ("circle", [[10, 8], [13, 12]], [(8, 10)], 5),
        ("point", [[10, 8]], [(8, 10)], 5),
        ("points", [[10, 8], [22, 15]], [(8, 10), (15, 22)], 5),
    ],
)
def test_round_shapes(folder, kind, points, centres, radius):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    near = [(rows - r) ** 2 + (columns - c) ** 2 <= radius**2 for r, c in centres]
    data = one(folder, shape("x", points, kind))
    assert np.array_equal(data[0].labels == 1, np.logical_or.reduce(near))


def test_an_embedded_mask_starts_at_its_first_point(folder):
    mask = np.random.default_rng(0).random((6, 9)) < 0.5
    for values in (mask, mask.astype(np.uint8), mask.astype(np.uint8) * 255):
        data = one(folder, shape("x", [[20.4, 5.0], [28.4, 10.0]], "mask", mask=encoded(values)))
        assert np.array_equal(data[0].labels[5:11, 20:29], mask)
        assert data[0].labels.sum() == mask.sum()


def test_small_shapes_are_painted_over_large_ones_and_hidden_pixels_counted(folder):
    small = shape("small", [[4, 4], [8, 4], [8, 8], [4, 8]])
    data = one(folder, small, shape("large"))
    assert np.bincount(data[0].labels.ravel()).tolist() == [540, 44, 16]
    assert data.read.read.painted(data.read.pairs[0]).hidden == {(1, 2): 16}


@pytest.mark.parametrize(
    "text", ["..\\photos\\ä b.png", "../photos/ä b.png", "C:\\x\\photos\\ä b.png"]
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_photos_are_found_from_windows_and_from_macos(tmp_path, text, form):
    photo(tmp_path / "set" / "photos" / normalize(form, "ä b.png"))
    write(tmp_path / "set" / "anns", "ä b", shape(normalize(form, "Bäume")), image_path=text)
    data = open_data(f"labelme:{tmp_path / 'set'}")
    assert data.classes[1] == normalize("NFC", "Bäume")
    assert data[0].labels.sum() == 60


def test_a_photo_elsewhere_on_the_disk_is_not_read(tmp_path):
    photo(tmp_path / "private.png")
    write(tmp_path / "a" / "set", "x", shape("road"), image_path="../../private.png")
    with pytest.raises(DataError, match="photo"):
        open_data(f"labelme:{tmp_path / 'a' / 'set'}")[0]


def test_an_embedded_photo_replaces_a_missing_one(folder):
    pixels = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    write(folder, "a", shape("x"), image_data=encoded(pixels))
    sample = open_data(folder)[0]
    assert np.array_equal(sample.image, pixels)
    assert sample.labels.sum() == 60


# Up to 4 the size stays, so shapes drawn on the stored photo cannot be recognized.
@pytest.mark.parametrize(
    ("orientation", "rotated"),
    [*((n, True) for n in range(2, 9)), *((n, False) for n in range(5, 9))],
)
def test_shapes_turn_with_their_photo(folder, orientation, rotated):
    """A white square in the photo is labelled, whichever way up it was annotated."""
    stored = np.zeros((*SIZE, 3), np.uint8)
    stored[3:9, 2:12] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    folder.mkdir()
    Image.fromarray(stored).save(folder / "a.png", exif=exif)
    points, size = [[2, 3], [12, 9]], SIZE
    if rotated:  # recent LabelMe: drawn on the rotated photo
        shown = np.array(ImageOps.exif_transpose(Image.open(folder / "a.png")))[..., 0]
        rows, columns = (np.flatnonzero(shown.any(axis)).tolist() for axis in (1, 0))
        points = [[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]]
        size = shown.shape
    write(folder, "a", shape("x", points, "rectangle"), size=size)
    sample = open_data(folder)[0]
    assert np.array_equal(sample.labels == 1, sample.image[..., 0] > 127)
    assert sample.labels.sum() == 60


def test_splits_follow_from_the_names_or_from_lists(folder):
    stems = [f"p{number}" for number in range(10)]
    for stem in stems:
        write(folder, stem, shape("x"))
        photo(folder / f"{stem}.png")
    parts = hash_split(stems)
    assert open_data(folder, "val").names == tuple(stems[index] for index in parts["val"])
    assert len(open_data(folder, "train")) == 8
    (folder / "val.txt").write_text("p3.png\np7\n")
    (folder / "train.txt").write_text("p1\n")
    assert open_data(folder, "val").names == ("p3", "p7")
    with pytest.raises(DataError, match="there are: train, val"):
        open_data(folder, "test")
    for wrong, message in (
        ("p99", "'p99' is the name of no sample"),
        ("p7\np7.jpg", "names a sample twice"),
    ):
        (folder / "val.txt").write_text(wrong)
        with pytest.raises(DataError, match=rf"val\.txt: .*{message}"):
            open_data(folder, "val")


def test_without_shapes_all_is_background_and_names_contain_the_folder(folder):
    write(folder / "day1", "a", shape("x"))
    write(folder / "day2", "a")
    photo(folder / "day1" / "a.png"), photo(folder / "day2" / "a.png")
    data = open_data(folder)
    assert data.names == ("day1__a", "day2__a")
    assert data[1].labels.max() == 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([shape("x", [[1, 2], [3, 4]])], "shape 0 .*2 points where 3 or more"),
        ([shape("x", [[1, 2], [3, float("nan")], [5, 6]])], "shape 0 .*coordinate nan"),
        ([shape("x"), shape("x", [["a", 2], [3, 4], [5, 6]])], "shape 1 .*not pairs of numbers"),
        ([shape("x", SQUARE, "cube")], "cube.*not one of polygon"),
        ([shape("x", SQUARE, "circle")], "4 points; expected 2"),
        ([shape("x", [[1, 1], [1, 1]], "circle")], "radii"),
        ([shape("x", [[1, 1]], "mask", mask="!!!")], "shape 0"),
        ([shape("x", [[1, 1]], "mask")], "'mask' is missing"),
        ([{"points": SQUARE}], "'label' is missing"),
        ([{"label": "x"}], "'points' is missing"),
        (["x"], "'label' is missing"),
    ],
)
def test_bad_shapes_are_named(folder, shapes, message):
    with pytest.raises(DataError, match=rf"(?s)a\.json.*{message}"):
        one(folder, *shapes)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "broken JSON.*line 1"),
        ("[1]", "without an object"),
        ("{}", "not a LabelMe file"),
        ('{"shapes": 3}', "'shapes' is '3'; expected a list"),
        ("[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_bad_files_are_named(folder, text, message):
    folder.mkdir()
    (folder / "b.json").write_text(text)
    with pytest.raises(DataError, match=rf"b\.json.*{message}"):
        open_data(f"labelme:{folder}")


def test_a_class_that_is_not_in_the_list_is_named(folder):
    folder.mkdir()
    (folder / "labels.txt").write_text("_background_\nroad\n")
    data = one(folder, shape("raod"))
    with pytest.raises(DataError, match=r"a\.json: shape 0.*'raod'.*road.*labels\.txt"):
        data[0]


def test_a_size_that_differs_from_the_photo_is_an_error(folder):
    with pytest.raises(DataError, match=r"a\.json: drawn on 40 x 60.*a\.png has 20 x 30"):
        one(folder, shape("x"), size=(40, 60))[0]


def test_a_missing_photo_is_named(folder):
    write(folder, "a", shape("x"), image_path="gone.jpg")
    with pytest.raises(DataError, match=r"a\.json: its photo 'gone\.jpg' is not there"):
        open_data(folder)[0]


def test_an_empty_folder_is_named(folder):
    folder.mkdir()
    with pytest.raises(DataError, match=r"no \.json file"):
        open_data(f"labelme:{folder}")


def test_masks_take_precedence_over_labelme_files(folder):
    one(folder / "images", shape("x"))
    assert recognise(folder) == "labelme"
    photo(folder / "masks" / "a.png")
    assert recognise(folder) == "folders"


def test_labelmes_own_export_agrees_except_at_borders(shared):
    data = open_data(shared("formats/labelme_json"))
    export = shared("formats/voc_labelme_export") / "SegmentationClass"
    assert data.classes[:2] == ("_background_", "aeroplane")
    assert len(data) == 3
    for sample in data:
        theirs = np.array(Image.open(export / f"{sample.name.split('__')[1]}.png"))
        assert set(np.unique(sample.labels)) == set(np.unique(theirs))
        assert (sample.labels != theirs).mean() < 0.006


def test_every_type_of_labelmes_example(shared):
    data = open_data(shared("formats/labelme_json_shapes"))
    counts = np.bincount(data[0].labels.ravel(), minlength=8)
    areas = dict(zip(data.classes, counts.tolist(), strict=True))
    assert areas["rectangle"] == 100 * 100 + 151 * 102
    assert areas["octagon"] == 7275  # as many as the embedded PNG has
    assert abs(areas["circle"] - np.pi * (30**2 + 41**2)) < 10
    assert abs(areas["line"] - 10 * np.hypot(28, 46)) < 10
    assert areas["point"] == 80


def test_a_file_that_names_the_photo_of_another_is_refused(tmp_path):
    for stem in ("a", "b"):
        photo(tmp_path / "images" / f"{stem}.png")
        write(tmp_path / "labels", stem, shape("cat"), image_path="../images/a.png")
    data = open_data(str(tmp_path))
    assert len(data[data.names.index("labels__a")].labels)
    with pytest.raises(DataError, match=r"b\.json: its imagePath is 'a.png', but there is a photo"):
        data[data.names.index("labels__b")]


def test_two_files_of_one_photo_are_refused(tmp_path):
    for place in ("one", "two"):
        photo(tmp_path / place / "a.png")
    write(tmp_path / "one", "a", shape("tree"))
    write(tmp_path / "two", "renamed", shape("tree"), image_path="a.png")  # another photo
    assert len(open_data(tmp_path)) == 2
    write(tmp_path / "one", "a copy", shape("car"), image_path="a.png")
    with pytest.raises(
        DataError, match=r"a copy\.json: its photo 'a\.png' is that of a\.json, too"
    ):
        open_data(tmp_path)


def test_two_renamed_files_of_one_photo_are_refused(tmp_path):
    photo(tmp_path / "images" / "a.png")
    for stem in ("first", "second"):
        write(tmp_path, stem, shape("tree"), image_path="a.png")
    with pytest.raises(DataError, match=r"second\.json: .* is that of first\.json, too"):
        open_data(f"labelme:{tmp_path}")
