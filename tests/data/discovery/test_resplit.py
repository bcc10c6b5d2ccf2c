"""Splits of any format: none, hashed, by group, written to files and read back."""

import json
import os
import shutil
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run
from fullconv.data.discovery.resplit import with_groups, without_groups, write_splits
from fullconv.data.formats import inventory, open_data
from fullconv.errors import ConfigError, DataError, NoSplitError
from fullconv.io.palettes import VOID
from inventories import with_code

CLIPS = [f"clip{clip}_{frame:04}" for clip in range(6) for frame in range(3 + clip)]


def picture(path, value=0, size=(4, 5), bands=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if bands is None else (*size, bands)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def folders(folder, names, photos="images", masks="masks"):
    for name in names:
        picture(folder / photos / f"{name}.png", 90, bands=3)
        picture(folder / masks / f"{name}.png")
    (folder / "classes.txt").write_text("road\nsky\n")
    return folder


@pytest.fixture
def clips(tmp_path):
    return folders(tmp_path / "clips", CLIPS)


def names(source, **options):
    return {split: open_data(source, split, **options).names for split in ("train", "val")}


def clip(name):
    return name.rpartition("_")[0]


def build_labelme(folder):
    for name in "ab":
        picture(folder / f"{name}.png", bands=3)
        (folder / f"{name}.json").write_text(json.dumps({"shapes": [], "imagePath": f"{name}.png"}))
    (folder / "labels.txt").write_text("road\n")
    return f"labelme:{folder}"


def build_yolo(folder):
    for name in "ab":
        picture(folder / "images" / f"{name}.png", bands=3)
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{name}.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    (folder / "data.yaml").write_text("names: [road]\n")
    return f"yolo:{folder}"


def build_cvat(folder):
    for name in "ab":
        picture(folder / "images" / f"{name}.png", bands=3)
    images = "".join(
        f'<image id="{number}" name="{name}.png" width="5" height="4"></image>'
        for number, name in enumerate("ab")
    )
    label = "<meta><job><labels><label><name>road</name></label></labels></job></meta>"
    (folder / "annotations.xml").write_text(f"<annotations>{label}{images}</annotations>")
    return f"cvat:{folder}"


def build_sbd(folder):
    for name in "ab":
        picture(folder / "img" / f"{name}.jpg", bands=3)
        picture(folder / "cls" / f"{name}.png")
    (folder / "train.txt").write_text("a\nb\n")
    return f"sbd:{folder}"


def build_rasters(folder):
    return f"rasters:{folders(folder, 'ab')}"


def build_scenes(folder):
    return "scenes:4@16x16"


def build_folders(folder):
    return folders(folder, "ab")


@pytest.mark.parametrize(
    "build",
    [
        build_labelme,
        build_yolo,
        build_cvat,
        build_sbd,
        build_rasters,
        build_scenes,
        build_folders,
    ],
)
def test_a_missing_split_is_a_no_split_error(tmp_path, build):
    source = build(tmp_path)
    assert len(open_data(source, "train"))
    with pytest.raises(NoSplitError, match=r"has no split 'nosuch'; there are: .*train"):
        open_data(source, "nosuch")


def test_a_broken_split_is_another_error(clips):
    (clips / "train.txt").write_text("clip0_0000\n")
    (clips / "val.txt").write_text("clip1_0000\nclip9_0000\n")
    assert len(open_data(clips, "train")) == 1
    with pytest.raises(
        DataError, match=r"val\.txt: 'clip9_0000' is the name of no sample"
    ) as caught:
        open_data(clips, "val")
    assert not isinstance(caught.value, NoSplitError)


def test_an_empty_list_is_a_broken_split(clips):
    (clips / "train.txt").write_text("clip0_0000\n")
    (clips / "val.txt").write_text("\n")
    with pytest.raises(DataError, match=r"val\.txt: the list is empty; fill it") as caught:
        open_data(clips, "val")
    assert not isinstance(caught.value, NoSplitError)
    assert open_data(clips).names == ("clip0_0000",)


@pytest.mark.parametrize("rule", ["clip", "^clip[0-9]", r"(\d)_"])
def test_no_group_is_in_two_splits(clips, rule):
    parts = names(clips, group_by=rule)
    assert sorted(parts["train"] + parts["val"]) == CLIPS
    assert not {clip(name) for name in parts["train"]} & {clip(name) for name in parts["val"]}
    assert parts["train"] and parts["val"]
    # Without groups the clips are divided, so the test above can fail.
    torn = names(clips)
    assert {clip(name) for name in torn["train"]} & {clip(name) for name in torn["val"]}


def test_the_rule_may_be_an_option_of_the_source(clips):
    expected = names(clips, group_by="clip")
    assert names(f"{clips}?group-by=clip") == expected
    assert names(f"folders:{clips}?group-by=clip") == expected
    assert names(f"folders:{clips}?group-by=folder", group_by="clip") == expected
    assert open_data(clips, "val", "clip").source == f"{clips}?group-by=clip"
    assert open_data(clips, "val", "clip")[0].name == expected["val"][0]
    stock = inventory(f"{clips}?group-by=clip")
    assert {s: tuple(p.name for p in pairs) for s, pairs in stock.splits.items()} == expected
    assert not stock.divided


def test_a_rule_may_contain_any_character():
    rule = "(?:a|b)&x=1?group-by=:"
    assert without_groups(f"rasters:x?bands=1,2,3&group-by={rule}") == (
        "rasters:x?bands=1,2,3",
        rule,
    )
    assert without_groups("coco:x?kind=stuff") == ("coco:x?kind=stuff", None)
    assert (
        with_groups("rasters:x?bands=1&group-by=clip", "tile") == "rasters:x?bands=1&group-by=tile"
    )


def test_the_split_depends_on_names_alone(clips, tmp_path):
    before = names(clips, group_by="clip")
    elsewhere = tmp_path / "elsewhere" / "clips"
    shutil.copytree(clips, elsewhere)
    assert names(elsewhere, group_by="clip") == before
    # Other files next to the data set and in it, and times and sizes of the photos, do not matter.
    folders(tmp_path / "more", [f"clip7_{frame}" for frame in range(9)])
    (clips / "notes.md").write_text("hello")
    (clips / "images" / ".hidden.png").write_bytes(b"")
    os.utime(clips / "images" / f"{CLIPS[0]}.png", (0, 0))
    assert names(clips, group_by="clip") == before


def test_more_frames_of_one_clip_do_not_move_other_clips(clips):
    before = names(clips, group_by="clip")
    grown = {clip(name): part for part, members in before.items() for name in members}
    folders(clips, [f"clip5_{frame:04}" for frame in range(8, 12)])
    after = names(clips, group_by="clip")
    moved = {clip(n) for part, members in after.items() for n in members if grown[clip(n)] != part}
    assert moved <= {"clip5"} or len(moved) == 1
    assert not {clip(n) for n in after["train"]} & {clip(n) for n in after["val"]}


def test_the_split_does_not_depend_on_the_unicode_normal_form(tmp_path):
    stems = [f"über_{number}" for number in range(12)]
    one = folders(tmp_path / "linux", [normalize("NFC", stem) for stem in stems])
    other = folders(tmp_path / "mac", [normalize("NFD", stem) for stem in stems])
    val = [normalize("NFC", name) for name in names(other)["val"]]
    assert val == list(names(one)["val"])


def test_folders_of_splits_are_not_groups(tmp_path):
    """train/clip0_0000 and val/clip0_0002 are of one clip."""
    for name in CLIPS:
        part = "val" if name.endswith("2") else "train"
        folders(tmp_path, [f"{part}/{name}"])
    parts = names(tmp_path, group_by="clip")
    bare = {
        part: {clip(name.partition("__")[2]) for name in members} for part, members in parts.items()
    }
    assert bare["train"] and bare["val"] and not bare["train"] & bare["val"]


def test_the_test_split_stays_as_it_is(clips):
    (clips / "train.txt").write_text("".join(f"{name}\n" for name in CLIPS[:20]))
    (clips / "val.txt").write_text("".join(f"{name}\n" for name in CLIPS[20:28]))
    (clips / "test.txt").write_text("".join(f"{name}\n" for name in CLIPS[28:]))
    assert open_data(clips, "test", "clip").names == tuple(CLIPS[28:])
    parts = names(clips, group_by="clip")
    assert sorted(parts["train"] + parts["val"]) == CLIPS[:28]
    stock = inventory(f"{clips}?group-by=clip").splits
    assert [pair.name for pair in stock["test"]] == CLIPS[28:]
    assert tuple(pair.name for pair in stock["val"]) == parts["val"]


def test_invalid_groups_are_refused(clips):
    with pytest.raises(DataError, match=r"no two of the 33 samples are of one group.*clip0_0000"):
        open_data(clips, "val", "^.*$")
    with pytest.raises(DataError, match="all 33 samples are of one group"):
        open_data(clips, "val", "folder")
    with pytest.raises(ConfigError, match="neither clip, patient, tile, folder nor a regular"):
        open_data(clips, "val", "(")
    with pytest.raises(NoSplitError, match=r"no split 'test'; there are: train, val \(divided by"):
        open_data(clips, "test", "clip")


def test_lists_are_written_and_read_back(clips):
    parts = {split: open_data(clips, split, "clip") for split in ("train", "val")}
    write_splits(clips / "splits", parts)
    assert names(clips) == {split: data.names for split, data in parts.items()}
    # New photos are in no list, so that nothing moves.
    folders(clips, ["clip8_0000"])
    assert names(clips) == {split: data.names for split, data in parts.items()}
    write_splits(clips / "splits", parts)
    with pytest.raises(DataError, match=r"train\.txt exists already, with other names"):
        write_splits(clips / "splits", {"train": parts["val"]})


def test_names_in_nested_folders_are_read_back(tmp_path):
    folder = folders(tmp_path, ["walk one/a b", "walk one/ü", "run/a b", "run/ü", "x/\N{DOG} 1"])
    parts = {split: open_data(folder, split) for split in ("train", "val")}
    write_splits(folder / "splits", parts)
    assert names(folder) == {split: data.names for split, data in parts.items()}


def test_convert_data_writes_the_lists_alone(clips, capsys):
    out = clips / "splits"
    assert run(["convert-data", f"{clips}?group-by=clip", str(out), "--splits-only"]) == 0
    assert "val.txt" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["train.txt", "val.txt"]
    assert names(clips) == names(f"{clips}?group-by=clip")


def test_convert_data_divides_by_group(clips, tmp_path):
    arguments = ["convert-data", str(clips), str(tmp_path / "out"), "--group-by", "clip", "--quiet"]
    assert run(arguments) == 0
    assert names(tmp_path / "out") == names(clips, group_by="clip")
    assert (open_data(tmp_path / "out")[0].labels != VOID).all()


def build_cityscapes(folder):
    for split, names in (("train", "abcdef"), ("val", "gh")):
        for name in names:
            picture(folder / f"leftImg8bit/{split}/ulm/{name}_leftImg8bit.png", 90, bands=3)
            picture(folder / f"gtFine/{split}/ulm/{name}_gtFine_labelIds.png", 7)
    return str(folder)


def build_camvid(folder, parts=None):
    for split, names in (parts or {"train": "abcdef", "val": "gh"}).items():
        for name in names:
            picture(folder / split / f"{name}.png", 90, bands=3)
            picture(folder / f"{split}annot" / f"{name}.png")
        lines = [f"{split}/{name}.png {split}annot/{name}.png" for name in names]
        (folder / f"{split}.txt").write_text("\n".join(lines))
    return str(folder)


def build_split_folders(folder):
    for split, names in (("train", "abcdef"), ("val", "gh")):
        folders(folder, names, f"images/{split}", f"masks/{split}")
    return str(folder)


def build_listed_pairs(folder):
    folders(folder, "abcdefgh")
    for split, names in (("train", "abcdef"), ("val", "gh")):
        lines = [f"images/{name}.png masks/{name}.png" for name in names]
        (folder / f"{split}.txt").write_text("\n".join(lines))
    return str(folder)


@pytest.mark.parametrize(
    "build", [build_cityscapes, build_camvid, build_split_folders, build_listed_pairs, build_yolo]
)
def test_lists_in_splits_take_precedence(tmp_path, build):
    source = build(tmp_path / "set")
    whole = open_data(source)
    held = whole.names[1::3]
    parts = {"val": whole.take([*range(1, len(whole), 3)])}
    parts["train"] = whole.take([n for n in range(len(whole)) if n % 3 != 1])
    write_splits(tmp_path / "set" / "splits", parts)
    assert {*open_data(source, "val").names} == {*held}
    assert {*open_data(source, "train").names} == {*whole.names} - {*held}
    assert open_data(source, "val").split == "val"
    assert {*open_data(source).names} == {*whole.names}
    stock = inventory(source)
    assert {pair.name for pair in stock.splits["val"]} == {*held}
    assert not with_code(stock, "list-line", "empty-split") and stock.divided
    with pytest.raises(NoSplitError):
        open_data(source, "test")


def test_a_wrong_line_in_splits_is_named(tmp_path):
    source = build_camvid(tmp_path / "set")
    (tmp_path / "set" / "splits").mkdir()
    (tmp_path / "set" / "splits" / "train.txt").write_text("a\nb.png\nB\nnobody\n")
    with pytest.raises(DataError, match=r"train\.txt: 'B' names a sample twice"):
        open_data(source, "train")
    stock = inventory(source)
    assert [pair.name for pair in stock.splits["train"]] == ["a", "b"]
    assert [p.error.found for p in with_code(stock, "list-line")] == [
        "'B' names a sample twice",
        "'nobody' is the name of no sample",
    ]


def test_convert_data_warns_of_lists_elsewhere(tmp_path, capsys):
    names = {"train": ("a1", "a2", "b1", "b2"), "val": ("c1", "c2")}
    source = build_camvid(tmp_path / "set", names)
    before = open_data(source, "val").names
    again = ["--splits-only", "--group-by", "^[bc]|^a."]  # a1 and a2 apart, which changes val
    assert run(["convert-data", source, str(tmp_path / "elsewhere"), *again]) == 0
    assert "note    to use these lists, move them to" in capsys.readouterr().out
    assert open_data(source, "val").names == before
    assert run(["convert-data", source, str(tmp_path / "set" / "splits"), *again]) == 0
    assert "note" not in capsys.readouterr().out
    for split in ("train", "val"):
        lines = (tmp_path / "elsewhere" / f"{split}.txt").read_text().splitlines()
        assert [*open_data(source, split).names] == lines
