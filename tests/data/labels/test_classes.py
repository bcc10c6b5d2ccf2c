"""Numbers and colours in class declarations count; what could be read in two ways is refused."""

import json

import pytest

from fullconv.data.formats._annotations import with_ground
from fullconv.data.labels.class_lines import format_lines
from fullconv.data.labels.classes import TEXT_FILES, declared_classes, read_names, read_text
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, voc_palette

ROAD_TREE = {0: "road", 1: "tree"}


def values(found):
    """Return mask value -> name, or VOID."""
    return {
        value: VOID if label == VOID else found.classes[label]
        for value, label in found.mapping.items()
        if (value, label) != (VOID, VOID)
    }


def read(folder, text):
    (folder / "classes.txt").write_text(text, "utf-8")
    return read_text(folder / "classes.txt")


@pytest.mark.parametrize(
    "separator", [" ", "\t", ": ", ":", ",", ", ", "=", " = ", ";", "|", " - "]
)
def test_numbers_before_and_after_the_names_are_their_values(tmp_path, separator):
    first = f"1{separator}road\n0{separator}tall tree\n"
    last = f"road{separator}1\ntall tree{separator}0\n"
    for text in (first, last):
        assert values(read(tmp_path, text)) == {0: "tall tree", 1: "road"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("road\ntree", ROAD_TREE),
        ("0. road\n1. tree", ROAD_TREE),
        ("0.road\n1.tree", ROAD_TREE),
        ("0) road\n1) tree", ROAD_TREE),
        ("road (0)\ntree (1)", ROAD_TREE),
        ("01 road\n02 tree", {1: "road", 2: "tree"}),
        ("id,name\n0,road\n1,tree", ROAD_TREE),
        ("name,id\ntree,1\nroad,0", ROAD_TREE),
        ("id name\n1 tree\n0 road", ROAD_TREE),
        ("Idx\tRatio\tName\n1\t0.15\troad\n2\t0.11\ttree", {1: "road", 2: "tree"}),
        ("class;label\n0;road\n1;tree", None),
        ("name,r,g,b\nroad,1,2,3\ntree,4,5,6", ROAD_TREE),
        ("id,name,r,g,b\n1,tree,4,5,6\n0,road,1,2,3", ROAD_TREE),
        ("name,id,color\ntree,1,#040506\nroad,0,#010203", ROAD_TREE),
        ("background 0\nroad 1\nvoid 255", {0: "background", 1: "road"}),
        ("0 Landsat 8\n1 Sentinel", {0: "Landsat 8", 1: "Sentinel"}),
        ("0 zone 7\n1 zone 8", {0: "zone 7", 1: "zone 8"}),
        ("id,name\n0,Landsat 8\n1,Sentinel 2", {0: "Landsat 8", 1: "Sentinel 2"}),
        ("zone 0\nzone 1", {0: "zone 0", 1: "zone 1"}),
        ("0-wheeler\n2-wheeler\nroad", {0: "0-wheeler", 1: "2-wheeler", 2: "road"}),
        ("0\n1\nA", {0: "0", 1: "1", 2: "A"}),
        ("0x10\n-1", {0: "0x10", 1: "-1"}),
        ("no\nyes", {0: "no", 1: "yes"}),
        ("3D object\nR2D2", {0: "3D object", 1: "R2D2"}),
        ("car, van\ntruck", {0: "car, van", 1: "truck"}),
        ("__ignore__\n_background_\nroad", {0: "_background_", 1: "road"}),
        ("# 7 road\n0 road\n1 tree", ROAD_TREE),
        ("7 road\n11 building", {7: "road", 11: "building"}),
    ],
)
def test_usual_ways_to_write_classes(tmp_path, text, expected):
    if expected is None:
        with pytest.raises(DataError, match="the columns class, label"):
            read(tmp_path, text)
        return
    assert values(read(tmp_path, text)) == expected


COLORED = {(1, 2, 3): "road", (4, 5, 6): "tree"}


@pytest.mark.parametrize(
    "text",
    [
        "road #010203\ntree #040506",
        "1 tree #040506\n0 road #010203",
        "tree 1 #040506\nroad 0 #010203",
        "0,road,#010203\n1,tree,#040506",
        "#010203 road\n#040506 tree",
        "road 1 2 3\ntree 4 5 6",
        "1,tree,4,5,6\n0,road,1,2,3",
        "road;1;2;3\ntree;4;5;6",
        "road: 1, 2, 3\ntree: 4, 5, 6",
        "road (1, 2, 3)\ntree [4, 5, 6]",
        "1 2 3 road\n4 5 6 tree",
        "1,2,3,road\n4,5,6,tree",
        "r,g,b,name\n1,2,3,road\n4,5,6,tree",
        "id\tname\tcolor\n1\ttree\t4 5 6\n0\troad\t1 2 3",
    ],
)
def test_usual_ways_to_write_colours(tmp_path, text):
    found = read(tmp_path, text)
    assert {color: found.classes[label] for color, label in found.colors.items()} == COLORED
    assert values(found) == ROAD_TREE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("road 128 64 128 255\ntree 0 128 0 255", "'road 128 64 128 255' has numbers that are"),
        ("128 64 128 255 road\n0 128 0 255 tree", "has numbers that are neither"),
        ("road #804080ff\ntree #008000ff", "'#804080ff' in 'road #804080ff'"),
        ("road #fff\ntree #000", "'#fff'"),
        ("road 0x804080\ntree 0x008000", "'0x804080'"),
        ("road 0.5 0.2 0.5\ntree 0.1 0.2 0.3", "'0.5'"),
        ("-1 road\n0 tree", "'-1' in '-1 road'"),
        ("0.5 road\n1.5 tree", "'0.5 road'"),
        ("2.5 m\n3.5 m", "'2.5' in '2.5 m'"),
        ("background\nroad\nvoid 255", "some lines end with a number, but 'background' does not"),
        ("road 1 2 3\ntree 4 5 6\nvoid 255", "some lines end with a number, but"),
        ("0 road\ntree", "some lines begin with a number, but 'tree' does not"),
        ("0 road\ntree 1", "some lines begin with a number, but 'tree 1'"),
        ("0 road 128\n1 tree 64", "two numbers in '0 road 128'"),
        ("road 1 2\ntree 3 4", "'road 1 2' has numbers"),
        ("zone 1\nzone 2", "'zone 1': its number could be the value or part of it"),
        ("car 1\ncar 2\ntree 3", "could be the value or part"),
        ("1_road\n2_tree", "'1_road': its number could be"),
        ("1-road\n2-tree", "'1-road': its number could be"),
        ("9" * 5000 + " road\n1 tree", "the number '999"),
        ("id,name\n0," + "x" * 200_000, "a broken table"),
        ("1\n2\n3", "the number '1' without a name"),
        ("0 road\n1", "some lines begin with a number, but '1' does not"),
        ("0 road\n7", "the number '7' without a name"),
        ("name\nroad\ntree", "the first line is 'name', which could be a heading or a class"),
        ("Classes:\nroad\ntree", "'Classes:'"),
        ("names:\n- road\n- tree", "'names:'"),
        ("- road\n- tree", "'- road' is not a plain name"),
        ('["road", "tree"]', "is not a plain name"),
        ('{"0": "road"}', "is not a plain name"),
        ('"road"\n"tree"', "is not a plain name"),
        ("road, tree, sky", "several names in one line"),
        ("road; tree", "several names in one line"),
        ("id,name,a\n0,road,255", "the columns id, name, a"),
        ("name,r,g,b,a\nroad,1,2,3,255", "the columns name, r, g, b, a"),
        ("name,r,g\nroad,1,2", "the columns name, r, g"),
        ("id,name\n0,road\n1", "1 cells in '1'; expected 2"),
        ("id,name\n0,road\nx,tree", "the number 'x'; expected 0, 1, 2"),
        ("id,name\n0,road\n0,tree", "two classes have the value 0"),
        ("#010203 road\ntree", "could be a comment or a class"),
        ("Road\nroad", "two classes have the name 'Road' but for case and blanks, 'road'"),
        ("tall tree\ntall  tree", "but for case and blanks"),
        ("talltree\ntall tree", "but for case and blanks"),
        ("gr\u00fcn\ngru\u0308n", "two classes have the name"),
        ("road 1 2 300\ntree 1 2 3", "expected three numbers from 0 to 255"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert "classes.txt" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 -> tree\n0 -> road", "a separator that is not read in '1 -> tree'"),
        ("tree->1\nroad->0", "could be the value or part"),
        ("0 => road\n1 => tree", "a separator that is not read"),
        ("|0|road|\n|1|tree|", "a separator that is not read"),
        ("0,road,\n1,tree,", "a separator that is not read"),
        ("road;\ntree;", "a separator that is not read"),
        ("// classes\nroad\ntree", "a separator that is not read in '// classes'"),
        ("road # grey\ntree # green", "a comment in 'road # grey'"),
        ("0: road # grey\n1: tree # green", "a comment"),
        ("(0) road\n(1) tree", r"a number that is not read in '\(0\) road'"),
        ("(1,2,3) road\n(4,5,6) tree", "a number that is not read"),
        ("<1> tree\n<0> road", "could be the value or part"),
        ("tree{0}\nroad{1}", "a number that is not read"),
        ("class 0: road\nclass 1: tree", "a number that is not read"),
        ("id=0 name=road\nid=1 name=tree", "a number that is not read"),
        ("tree (class 1)\nroad (class 0)", r"an open bracket in 'tree \(class 1\)'"),
        ('0:"road"\n1:"tree"', "quotation marks"),
        ("1: 'tree'\n0: 'road'", "quotation marks"),
        ("road rgb(1, 2, 3)\ntree rgb(4, 5, 6)", "the order of a colour's channels"),
        ("road bgr 1 2 3\ntree bgr 4 5 6", "the order of a colour's channels"),
        ("\u0661 tree\n\u0660 road", "a number in other digits than 0 to 9"),
        ("\uff11 tree\n\uff10 road", "a number in other digits than 0 to 9"),
        ("0x1 tree\n0x0 road", "'0x1' in '0x1 tree'"),
        ("1e0 tree\n0e0 road", "'1e0' in '1e0 tree'"),
        ("1/tree\n0/road", "'1/tree': its number could be the value or part of it"),
        ("tree_1\nroad_0", "'tree_1': its number could be"),
        ("tree1\nroad2", "'tree1': its number could be"),
        ("road_0\ncrack_255", "'road_0': its number could be"),
        ("road\nro\u200bad", "a character that is not visible"),
        ("road\n\ufefftree", "a character that is not visible"),
        ("road\nro\u00adad", "but for case and blanks"),
    ],
)
def test_marks_of_other_forms_do_not_become_parts_of_names(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "names",
    [
        ("L1", "L2"),
        ("T1 image", "T2 image"),
        ("class_0", "class_1"),
        ("B-52", "F-16"),
        ("background", "crack_1"),
        ("car, van", "a:b"),
        ("wall (brick)", "<void>"),
        ("R2-D2", "C3PO"),
        ("road/path", "it's"),
        ("@odd", "100%"),
    ],
)
def test_names_with_numbers_and_marks_of_their_own_are_kept(tmp_path, names):
    assert read(tmp_path, "\n".join(names)).classes == names


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_lists_in_utf_16_are_refused(tmp_path, encoding):
    (tmp_path / "classes.txt").write_bytes("road\ntree\n".encode(encoding))
    with pytest.raises(DataError, match=r"not UTF-8 text .*; save it as UTF-8"):
        read_text(tmp_path / "classes.txt")


@pytest.mark.parametrize("name", TEXT_FILES)
def test_text_files_of_any_name_are_read_alike(tmp_path, name):
    (tmp_path / name).write_text("tree 1\nroad 0\n")
    assert values(declared_classes(tmp_path)) == ROAD_TREE


ODD = ["no", "yes", "on", "off", "1_0", "~", "null", "0x10", "1e3", "2024-01-01", "007", ".5", "n"]


HARD = [
    "class 0",
    "a 1 2 3",
    "3 lanes",
    "1",
    "no",
    "R2-D2",
    "x, y",
    "[odd]",
    '"quoted"',
    "name",
    "a:b",
]


def test_converted_data_sets_keep_their_names(tmp_path):
    palette = voc_palette(len(HARD))
    found = read(tmp_path, "".join(format_lines(HARD, palette)))
    assert found.classes == tuple(HARD) and found.palette == palette and found.says_255


@pytest.mark.parametrize("first", ["class b", "label red", "id name"])
def test_a_numbered_class_is_not_taken_for_the_titles_of_a_table(tmp_path, first):
    text = "".join(format_lines((first, "sky"), ((1, 2, 3), (4, 5, 6))))
    assert read(tmp_path, text).classes == (first, "sky")


@pytest.mark.parametrize("names", [("Car", "car"), ("tall tree", "tall  tree")])
def test_drawn_classes_differ_in_more_than_case_and_blanks(names):
    with pytest.raises(DataError, match="occurs twice, or with another case or other blanks"):
        with_ground(names, "annotations.xml")


@pytest.mark.parametrize("form", ["list", "mapping", "block"])
def test_names_in_yaml_stay_the_text_that_was_written(tmp_path, form):
    text = {
        "list": f"names: [{', '.join(ODD)}]\n",
        "mapping": f"names: {{{', '.join(f'{i}: {name}' for i, name in enumerate(ODD))}}}\n",
        "block": "names:\n" + "".join(f"  {i}: {name}\n" for i, name in enumerate(ODD)),
    }[form]
    (tmp_path / "data.yaml").write_text(text)
    if form == "list":  # it is read like lines, in which numbers count
        with pytest.raises(DataError, match="the number '007' without a name"):
            declared_classes(tmp_path)
        (tmp_path / "data.yaml").write_text(text.replace("007", "bond"))
        assert declared_classes(tmp_path).classes == tuple(n.replace("007", "bond") for n in ODD)
        return
    assert declared_classes(tmp_path).classes == tuple(ODD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: road, tree", "names is 'road, tree'; expected a list, or a mapping"),
        ("names: {road: 0, tree: 1}", "the number 'road'"),
        ("names: {-1: road, 0: tree}", "the number '-1'"),
        ("names: {0: road, 0: tree}", "the key '0' is given twice"),
        ("names: {0: road, 00: tree}", "two classes have the value 0"),
        (
            "names: [{id: 0, name: road}]",
            "the name {'id': '0', 'name': 'road'} in names; expected a text",
        ),
        ("names: {0: [road]}", r"the name \['road'\] in names; expected a text"),
        (f"names: {{{'9' * 500}: road}}", "the number '999"),
        ("names: {0: }", "a class without a name"),
        ("names: ['', road, tree]", "the name '' in names; expected a name"),
        ("names: [road, ' ', tree]", "the name ' ' in names"),
        ("names: ['#8 road', tree, sky]", "the name '#8 road' in names"),
        ("names: []", "no classes in names; expected names with a list"),
        ("names:", "no classes in names"),
        ("classes: [road, tree]", "no classes in names, but the key 'classes'"),
        ("Names: [road, tree]", "no classes in names, but the key 'Names'"),
        ("names: [Road, road]", "but for case and blanks"),
        ("names: [background, road, void 255]", "some lines end with a number"),
        ("names: [zone 1, zone 2]", "could be the value or part of it"),
        ("nc: 3\nnames: [road, tree]", "nc is 3, but there are 2 names"),
    ],
)
def test_yaml_that_is_not_understood_is_refused(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        declared_classes(tmp_path)
    assert "data.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_in_lists_of_yaml_count(tmp_path):
    (tmp_path / "data.yaml").write_text("nc: 2\nnames: [tree 1, road 0]\n")
    assert values(declared_classes(tmp_path)) == ROAD_TREE


def meta(**content):
    return json.dumps({"label_map": {"0": "road", "1": "tree"}} | content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (meta(label_map={"0": None, "1": "tree"}), "'0' is missing"),
        (meta(label_map={"0": "road", "1": 7}), "'1' is '7'; expected a text"),
        (meta(label_map={"1_0": "road"}), "the number '1_0'"),
        (meta(label_map={"road": "0"}), "the number 'road'"),
        (meta(label_map={"0": "road", "00": "tree"}), "the value 0"),
        (meta(segmentation_colors=[[1, 2, 3]]), "2 classes in label_map and 1 colours"),
        (meta(segmentation_colors=[[1, 2, 3, 255], [4, 5, 6, 255]]), "expected three numbers"),
        (meta(segmentation_colors=[[1, 2, True], [4, 5, 6]]), "expected three numbers"),
        (meta(segmentation_colors="red"), "segmentation_colors is not a list"),
    ],
)
def test_meta_files_that_are_not_understood_are_refused(tmp_path, text, message):
    (tmp_path / "dataset_meta.json").write_text(text)
    with pytest.raises(DataError, match=message):
        declared_classes(tmp_path)


@pytest.mark.parametrize("name", ["labelmap.csv", "class_dict.csv"])
def test_numbers_in_tables_count(tmp_path, name):
    (tmp_path / name).write_text("id, name, r, g, b, group\n1,tree,4,5,6,x\n0,road,1,2,3,y\n")
    found = declared_classes(tmp_path)
    assert values(found) == ROAD_TREE and found.palette == ((1, 2, 3), (4, 5, 6))
    (tmp_path / name).write_text("name,r,g,b,a\nroad,1,2,3,255\n")
    with pytest.raises(DataError, match="the columns name, r, g, b, a"):
        declared_classes(tmp_path)


def test_labelmaps_of_cvat(tmp_path):
    path = tmp_path / "labelmap.txt"
    path.write_text("# label:color_rgb:parts:actions\na:b:1,2,3::\ntree 7:4, 5, 6:leaf,stem:\n")
    found = declared_classes(tmp_path)
    assert found.classes == ("a:b", "tree 7") and found.palette == ((1, 2, 3), (4, 5, 6))
    path.write_text("a:1,2,3\n")
    assert declared_classes(tmp_path).colors == {(1, 2, 3): 0}
    for line, message in {
        "a:1,2,3,255::": "the line 'a:1,2,3,255::'; expected name:red,green,blue::",
        "a 1 2 3": "the line 'a 1 2 3'",
        "a:1,2,x::": "expected three numbers",
        "a:::": "the line 'a:::'",
        ":1,2,3::": "a class without a name",
        "a:1,2,3::\nA:4,5,6::": "but for case and blanks",
    }.items():
        path.write_text(line + "\n")
        with pytest.raises(DataError, match=message):
            declared_classes(tmp_path)


def test_names_of_scores_are_in_the_order_of_their_numbers(tmp_path):
    path = tmp_path / "names.txt"
    for text in ("road\ntree\n", "tree 1\nroad 0\n", "1: tree\n0: road\n255: void\n"):
        path.write_text(text)
        assert read_names(path) == ("road", "tree")
    path.write_text("1 road\n2 tree\n")
    with pytest.raises(DataError, match="the numbers 1, 2; expected 0 to 1, one for each score"):
        read_names(path)
