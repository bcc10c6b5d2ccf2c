import numpy as np
import pytest
from PIL import Image

from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError
from fullconv.io import text as _xml

SIZE = (20, 40)
META = """<meta><task><name>t</name><labels>
<label><name>road</name><color>#804080</color><type>any</type><attributes><attribute><name>wet</name></attribute></attributes></label>
<label><name>car</name><color>#00008e</color></label>
</labels></task></meta>"""
SQUARE = 'points="10.00,4.00;30.00,4.00;30.00,14.00;10.00,14.00"'


def photo(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE[::-1], (9, 8, 7)).save(path)


def image(name, *shapes, size=SIZE, **more):
    extra = "".join(f' {key}="{value}"' for key, value in more.items())
    inside = "\n".join(shapes)
    return (
        f'<image id="0" name="{name}" width="{size[1]}" height="{size[0]}"{extra}>{inside}</image>'
    )


def write(folder, *images, meta=META, head='<?xml version="1.0" encoding="utf-8"?>\n'):
    folder.mkdir(parents=True, exist_ok=True)
    inside = "\n".join(images)
    text = f"{head}<annotations>\n<version>1.1</version>\n{meta}\n{inside}\n</annotations>\n"
    (folder / "annotations.xml").write_text(text, "utf-8")


def one(folder, *shapes, **more):
    write(folder, image("a.png", *shapes, **more))
    photo(folder / "images", "a.png")
    return open_data(folder)


def drawn(folder, *shapes):
    return one(folder, *shapes)[0].labels


def box(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_subset_without_any_shape_cannot_be_used(tmp_path):
    drawn_one = image("a.png", f'<polygon label="car" {SQUARE}/>', subset="Train")
    write(tmp_path, drawn_one, image("b.png", '<tag label="car"/>', subset="Validation"))
    photo(tmp_path / "images", "a.png")
    photo(tmp_path / "images", "b.png")
    assert open_data(tmp_path, "train").names == ("a",)
    with pytest.raises(DataError, match="none of the 1 photo of val has a shape; expected labels"):
        open_data(tmp_path, "val")


def test_classes_and_colours_are_those_of_the_task(tmp_path):
    data = one(tmp_path, f'<polygon label="car" {SQUARE}/>')
    assert recognise(tmp_path) == "cvat"
    assert data.classes == ("background", "road", "car")
    assert data.palette == ((0, 0, 0), (128, 64, 128), (0, 0, 142))
    assert np.array_equal(data[0].labels == 2, box(4, 10, 14, 30))


def test_without_declared_labels_the_classes_are_those_of_all_shapes(tmp_path):
    shapes = [f'<polygon label="{name}" {SQUARE}/>' for name in ("tree", "car")]
    write(tmp_path, image("a.png", shapes[0]), image("b.png", shapes[1]), meta="<meta/>")
    photo(tmp_path, "a.png"), photo(tmp_path, "b.png")
    data = open_data(tmp_path)
    assert data.classes == ("background", "car", "tree")
    assert [sample.labels.max() for sample in data] == [2, 1]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (f'<polygon label="road" {SQUARE} z_order="0"><attribute name="a">1</attribute></polygon>',
         box(4, 10, 14, 30)),
        ('<box label="road" xtl="10" ytl="4" xbr="30" ybr="14"/>', box(4, 10, 14, 30)),
        ('<box label="road" xtl="15" ytl="-1" xbr="25" ybr="19" rotation="90.0"/>',
         box(4, 10, 14, 30)),
        ('<box label="road" xtl="-10" ytl="4" xbr="90" ybr="14"/>', box(4, 0, 14, 40)),
        ('<polyline label="road" points="10,9;30,9"/>', box(4, 10, 14, 30)),
        ('<mask label="road" rle="0, 5, 1, 4" left="7" top="3" width="5" height="2"/>',
         box(3, 7, 5, 12) & ~box(4, 7, 5, 8)),
        ('<mask label="road" rle="0,4" left="38" top="19" width="2" height="2"/>',
         box(19, 38, 20, 40)),
        ('<tag label="road"/>', box(0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_straight_shapes(tmp_path, shape, expected):
    assert np.array_equal(drawn(tmp_path, shape) == 1, expected)


def test_ellipses_turn_clockwise_as_boxes_do(tmp_path):
    flat = '<ellipse label="road" cx="20" cy="10" rx="12" ry="4"/>'
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    near = ((columns - 20) / 12) ** 2 + ((rows - 10) / 4) ** 2 <= 1
    assert np.array_equal(drawn(tmp_path, flat) == 1, near)
    for shape in (
        '<ellipse label="road" cx="20" cy="10" rx="12" ry="2" rotation="30"/>',
        '<box label="road" xtl="8" ytl="8" xbr="32" ybr="12" rotation="30"/>',
    ):
        down, across = (np.argwhere(drawn(tmp_path, shape) == 1) + 0.5 - (10, 20)).T
        assert (down * across).sum() > 0  # right goes with down


def test_points_are_discs(tmp_path):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    near = [(columns - x) ** 2 + (rows - 9) ** 2 <= 25 for x in (8, 30)]
    labels = drawn(tmp_path, '<points label="car" points="8,9;30,9"/>')
    assert np.array_equal(labels == 2, near[0] | near[1])


def test_the_z_order_decides_and_then_the_size(tmp_path):
    small = '<box label="car" xtl="12" ytl="6" xbr="14" ybr="8" z_order="{}"/>'
    large = f'<polygon label="road" {SQUARE} z_order="1"/>'
    assert (drawn(tmp_path, small.format(0), large) != 2).all()
    assert (drawn(tmp_path, small.format(1), large) == 2).sum() == 4
    data = one(tmp_path, small.format(0), large)
    assert data.read.read.painted(data.read.pairs[0]).hidden == {(2, 1): 4}


def test_subsets_are_splits(tmp_path):
    square = f'<polygon label="car" {SQUARE}/>'
    write(
        tmp_path,
        image("b.png", square, subset="Validation"),
        image("a.png", square, subset="Train"),
    )
    photo(tmp_path / "images" / "Train", "a.png")
    photo(tmp_path / "images" / "Validation", "b.png")
    assert open_data(tmp_path, "val").names == ("Validation__b",)
    assert open_data(tmp_path, "train").names == ("Train__a",)


@pytest.mark.parametrize("unset", [{}, {"subset": "default"}])
def test_images_without_a_subset_are_not_mixed_with_those_of_test(tmp_path, unset):
    names = [f"p{number}" for number in range(6)]
    for name in (*names, "held"):
        photo(tmp_path, f"{name}.png")
    images = [image(f"{name}.png", **unset) for name in names]
    write(tmp_path, *images, image("held.png", subset="Test"))
    found = {split: open_data(tmp_path, split).names for split in ("train", "val", "test")}
    assert found["test"] == ("held",)
    assert sorted((*found["train"], *found["val"])) == names


def test_beside_train_an_image_without_a_subset_is_left_out_with_a_warning(tmp_path):
    for name in "abc":
        photo(tmp_path, f"{name}.png")
    rest = image("c.png"), image("b.png", subset="extra")
    write(tmp_path, image("a.png", subset="Train"), *rest)
    data = open_data(tmp_path, "train")
    assert data.names == ("a",) and "1 sample left out, in no split: c" in data.warnings[0]
    assert open_data(tmp_path, "extra").names == ("b",)


def test_parts_of_a_skeleton_are_not_classes(tmp_path):
    part = "<label><name>hand</name><type>points</type><parent>person</parent></label>"
    write(tmp_path, image("a.png"), meta=META.replace("</labels>", f"{part}</labels>"))
    photo(tmp_path, "a.png")
    assert open_data(tmp_path).classes == ("background", "road", "car")


def test_without_subsets_the_split_follows_from_the_names(tmp_path):
    names = [f"p{number}" for number in range(6)]
    write(tmp_path, *(image(f"{name}.png", subset="default") for name in names))
    for name in names:
        photo(tmp_path, f"{name}.png")
    chosen = hash_split(names)["val"]
    assert open_data(tmp_path, "val").names == tuple(names[index] for index in chosen)


def test_ignored_regions_are_void(tmp_path):
    labels = META.replace("<name>car</name>", "<name>__ignore__</name>")
    write(tmp_path, image("a.png", f'<polygon label="__ignore__" {SQUARE}/>'), meta=labels)
    photo(tmp_path, "a.png")
    data = open_data(tmp_path)
    assert data.classes == ("background", "road")
    assert (data[0].labels == 255).sum() == 200


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
"""


@pytest.mark.parametrize("head", [BOMB, '<!doctype annotations SYSTEM "file:///etc/passwd">'])
def test_entities_are_refused_before_anything_is_parsed(tmp_path, monkeypatch, head):
    write(tmp_path, image("a.png"), head=head)
    monkeypatch.setattr(_xml.ElementTree, "fromstring", lambda text: pytest.fail("parsed"))
    with pytest.raises(DataError, match=r"annotations\.xml: it defines a document type"):
        open_data(f"cvat:{tmp_path}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037"])
def test_entities_are_found_in_any_encoding(tmp_path, encoding):
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>' + BOMB.partition("?>")[2] + "<annotations/>"
    )
    (tmp_path / "annotations.xml").write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=r"UTF-8|broken XML"):
        open_data(f"cvat:{tmp_path}")


def test_a_declared_encoding_does_not_change_what_was_looked_at(tmp_path):
    """In cp037 these bytes would be another document."""
    hidden = b'<?xml version="1.0" encoding="cp037"?>' + "<!DOCTYPE a>".encode("cp037")
    (tmp_path / "annotations.xml").write_bytes(hidden)
    with pytest.raises(DataError, match=r"UTF-8|broken XML"):
        open_data(f"cvat:{tmp_path}")


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    write(tmp_path, image("a.png"))
    monkeypatch.setattr(_xml, "MAX_XML_BYTES", 100)
    with pytest.raises(DataError, match=r"\d+ B; expected at most 100 B: export"):
        open_data(f"cvat:{tmp_path}")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ('<polygon label="road" points="1,2;3,4"/>', "polygon 0: 2 points where 3 or more"),
        ('<polygon label="road" points="1,2;nan,4;5,6"/>', "coordinate nan"),
        ('<polygon label="road" points="1,2;3;5,6"/>', "not pairs"),
        ('<polygon label="road"/>', "0 points"),
        (f'<polygon label="raod" {SQUARE}/>', "'raod' is not one of background, road, car"),
        (f"<polygon {SQUARE}/>", "'' is not one of"),
        ('<box label="road" xtl="1" ytl="2" xbr="3"/>', "no 'ybr'"),
        ('<box label="road" xtl="1" ytl="2" xbr="3" ybr="inf"/>', "finite"),
        ('<ellipse label="road" cx="1" cy="2" rx="0" ry="3"/>', "radii"),
        (
            '<mask label="road" rle="3,4" left="0" top="0" width="2" height="2"/>',
            "7 pixels where 2 x 2",
        ),
        ('<mask label="road" rle="x" left="0" top="0" width="2" height="2"/>', "not whole numbers"),
        ('<mask label="road" rle="9" left="0" top="0" width="99999" height="99999"/>', "a mask of"),
        ('<cuboid label="road" xtl1="1"/>', "not one of polygon"),
    ],
)
def test_bad_shapes_are_named(tmp_path, shape, message):
    with pytest.raises(DataError, match=rf"annotations\.xml: image 'a\.png': .*{message}"):
        one(tmp_path, shape)[0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no <image>"),
        ([image("gone.png")], r"'gone\.png' is not under"),
        ([image("a.png"), image("a.png")], "two <image>"),
        (["<track/>"], "tracks of a video"),
        (["<image"], "broken XML"),
    ],
)
def test_bad_files_are_named(tmp_path, images, message):
    write(tmp_path, *images)
    photo(tmp_path, "a.png")
    with pytest.raises(DataError, match=rf"annotations\.xml: .*{message}"):
        open_data(f"cvat:{tmp_path}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"annotations\.xml: there is no such file"):
        open_data(f"cvat:{tmp_path}")


@pytest.mark.parametrize("size", [(40, 80), ("x", 3)])
def test_a_size_that_differs_from_the_photo_is_an_error(tmp_path, size):
    with pytest.raises(DataError, match=r"annotations\.xml: image 'a\.png'"):
        one(tmp_path, size=size)[0]
