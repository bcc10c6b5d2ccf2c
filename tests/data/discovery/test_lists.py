"""Split lists: which sample a line names, by one rule for every format."""

from pathlib import Path

import pytest

from fullconv.data.discovery.lists import NameIndex, SplitList
from fullconv.data.sample import Pair
from fullconv.errors import DataError

FOLDER = Path("data")
FILES = ("images/old/a b.jpg", "images/old/c.png", "images/new/c.png", "images/new/img_d.JPG")
PAIRS = [
    Pair(name, FOLDER / file, FOLDER / "masks" / f"{name}.png")
    for name, file in zip(("old__a b", "old__c", "new__c", "new__img_d"), FILES, strict=True)
]


def listed(tmp_path, *lines):
    path = tmp_path / "train.txt"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return SplitList.read(path)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("old__a b", "old__a b"),  # the name
        ("a b", "old__a b"),  # the stem, with a space in it
        ("A B.JPG", "old__a b"),  # case does not matter
        ("images/old/c.png", "old__c"),  # a path in the data set
        ("old/c", "old__c"),  # without images/ and without suffix
        ("./images\\new\\c.png", "new__c"),  # Windows' separators
        ("/home/her/data/images/new/c.png", "new__c"),  # another machine's folders
        ("images/new/c.png masks/c.png", "new__c"),  # what follows the first word
        ("new__c\t1", "new__c"),  # what follows a tab
        ("new__c -1", "new__c"),  # VOC's lists of detection
        ("d", "new__img_d"),  # without a customary beginning
    ],
)
def test_ways_to_name_a_sample(tmp_path, line, name):
    pairs, problems = listed(tmp_path, line).match(PAIRS, FOLDER)
    assert ([pair.name for pair in pairs], problems) == ([name], [])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("e", "'e' is the name of no sample"),
        ("c", "'c' is the name of 2 samples"),
        ("images/older/c.png", "'images/older/c.png' is the name of no sample"),  # not old/c.png
    ],
)
def test_a_line_that_names_not_one_sample(tmp_path, line, found):
    pairs, problems = listed(tmp_path, "old/c", line).match(PAIRS, FOLDER)
    assert [pair.name for pair in pairs] == ["old__c"]
    assert [(error.found, error.code) for error in problems] == [(found, "list-line")]
    assert problems[0].where == str(tmp_path / "train.txt")


def test_a_sample_counts_once(tmp_path):
    pairs, problems = listed(tmp_path, "old/c", "images/old/C.png").match(PAIRS, FOLDER)
    assert len(pairs) == 1
    assert [error.found for error in problems] == ["'images/old/C.png' names a sample twice"]


def test_blank_lines_and_comments_are_skipped(tmp_path):
    part = listed(tmp_path, "# half of it", "", "  old/c  ", "#", "#1", "\ufeffx")
    assert part.lines == ("old/c", "#1", "\ufeffx")
    assert listed(tmp_path, "# only a comment").empty().code == "empty-split"
    assert listed(tmp_path, "a").empty() is None


@pytest.mark.parametrize("line", ["2007_1", "JPEGImages/2007_1.jpg", "cls/2007_1.mat", "2007_1 -1"])
def test_lists_of_stems(tmp_path, line):
    index = NameIndex.of_names(["2007_0", "2007_1"])
    assert listed(tmp_path, line).select(index) == ([1], [])


def test_a_line_may_name_image_and_mask(tmp_path):
    for name in ("images/a b.png", "masks/a b.png", "images/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "masks" / "c.png").symlink_to("nowhere.png")  # reading it reports the broken link
    pairs, problems = listed(
        tmp_path,
        "images/a b.png masks/a b.png",
        "/CamVid/images/c.png, masks/c.png",
        "images/c.png masks/c.png",
        "images/c.png masks/d.png",
    ).pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["a b", "c"]
    photo = tmp_path / "images" / "c.png"
    assert [error.found for error in problems] == [
        "'images/c.png masks/c.png' names a sample twice",
        f"'images/c.png masks/d.png' names the photo {photo}, but its mask does not exist",
    ]


def test_a_list_that_is_not_text(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"train\.txt: not UTF-8 text"):
        SplitList.read(tmp_path / "train.txt")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("old/a b.jpg,1,0", ""),
        ("new/c.png 1 -1", ""),
        ("new/c|1", ""),
        ("/home/my photos/new/c.png masks/c.png", ""),
        ("old/c.png new/c.png", "is the name of 2 samples"),
        ("old/c img_d", "is the name of 2 samples"),
    ],
)
def test_further_columns(tmp_path, line, problem):
    pairs, problems = listed(tmp_path, line).match(PAIRS, FOLDER)
    assert len(pairs) == (not problem)
    assert [problem in error.found for error in problems] == [True] * bool(problem)


def test_a_line_names_its_first_column_not_its_last(tmp_path):
    index = NameIndex.of_names(["a", "b", "frame 1", "frame"])
    assert listed(tmp_path, "frame 1").select(index)[0] == [2]
    assert listed(tmp_path, "JPEGImages/frame 1.jpg").select(index)[0] == [2]
    assert listed(tmp_path, "JPEGImages/a.jpg SegmentationClass/a.png").select(index)[0] == [0]
    chosen, problems = listed(tmp_path, "JPEGImages/a.jpg SegmentationClass/b.png").select(index)
    assert not chosen and "is the name of 2 samples" in problems[0].found


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def test_another_mask_than_that_of_the_folder_is_an_error(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks2/a.png")
    pairs = [Pair("a", tmp_path / "images" / "a.jpg", tmp_path / "masks" / "a.png")]
    for line, problem in (
        ("images/a.jpg masks/a.png", ""),
        ("images/a.jpg masks/gone.png", ""),  # the mask beside it is the one that exists
        ("images/a.jpg masks2/a.png", "'masks2/a.png' follows the photo"),
    ):
        found, problems = listed(tmp_path, line).match(pairs, tmp_path)
        assert len(found) == (not problem)
        assert not problem or problem in problems[0].found


def test_a_pair_may_be_followed_by_numbers_but_not_by_a_third_file(tmp_path):
    touch(tmp_path, "images/a.jpg", "depth/a.png", "masks/a.png", "images/b c.jpg", "masks/b.png")
    part = listed(
        tmp_path,
        "image,mask",
        "images/a.jpg masks/a.png 1 0.5",
        "images/b c.jpg,masks/b.png,7",
        "images/a.jpg depth/a.png masks/a.png",
        "x" * 300,
        "images/" + "y " * 5000,
    )
    pairs, problems = part.pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["a", "b c"]
    assert len(problems) == 3 and all(len(str(error)) < 400 for error in problems)
    assert not listed(tmp_path, "name").empty()
