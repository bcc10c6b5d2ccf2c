import numpy as np
import pytest

from fullconv.data.formats import formats, open_data
from fullconv.data.synthetic import draw
from fullconv.errors import DataError


def test_the_classes_and_their_colours():
    data = open_data("scenes:3")
    assert data.classes == ("sky", "building", "road", "tree", "car", "person", "pole")
    assert len(set(data.palette)) == len(data.palette) == 7
    assert (data.source, data.split) == ("scenes:3", None)


def test_a_scene_does_not_depend_on_earlier_ones():
    data = open_data("scenes:6@40x50")
    backwards = [data[index] for index in reversed(range(6))][::-1]
    for sample, same in zip(data, backwards, strict=True):
        np.testing.assert_array_equal(sample.image, same.image)
        np.testing.assert_array_equal(sample.labels, same.labels)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9, 200])
def test_the_splits_partition_the_scenes(count):
    splits = {name: open_data(f"scenes:{count}", name).names for name in ("train", "val", "test")}
    assert splits["train"] + splits["val"] == open_data(f"scenes:{count}").names
    assert len(splits["train"]) == int(0.8 * count)
    assert len(splits["val"]) >= 1
    assert len(splits["test"]) == max(count // 4, 1)
    assert not set(splits["test"]) & set(open_data("scenes:100000").names)
    assert len(set(sum(splits.values(), ()))) == sum(map(len, splits.values()))


def test_a_split_reads_the_scenes_that_it_names():
    data = open_data("scenes:10@30x40#5", "val")
    assert data.names == ("scene-00008", "scene-00009")
    assert [sample.name for sample in data] == list(data.names)
    np.testing.assert_array_equal(data[1].image, draw(5, 9, 30, 40).image)
    test = open_data("scenes:8@30x40", "test")
    assert [sample.name for sample in test] == list(test.names)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("scenes:1", (120, 160)),
        ("scenes:1#9", (120, 160)),
        ("scenes:1@241x127", (241, 127)),
        ("scenes:1@16x16", (16, 16)),
        ("scenes:1@16x400#3", (16, 400)),
        ("scenes:1@400x16", (400, 16)),
    ],
)
def test_a_scene_has_exactly_the_size_asked_for(text, size):
    sample = open_data(text)[0]
    assert sample.image.shape == (*size, 3)
    assert sample.labels.shape == size
    assert sample.image.dtype == sample.labels.dtype == np.uint8


def test_the_seed_is_part_of_the_name():
    plain, seeded = open_data("scenes:2@30x40")[0], open_data("scenes:2@30x40#1")[0]
    assert (plain.image != seeded.image).any()
    np.testing.assert_array_equal(plain.image, open_data("scenes:2@30x40#0")[0].image)


@pytest.mark.parametrize(
    "rest", ["0", "1000001", "99999999999999", "²", "-3", "2.5", "abc", "3@", "3 "]
)
def test_an_invalid_number_of_scenes(rest):
    with pytest.raises(DataError, match=r"scenes:200|1 to 1,000,000"):
        formats["scenes"].open(rest, None)


@pytest.mark.parametrize("rest", ["3@15x20", "3@20x15", "3@2049x20", "3@20x2049", "3@0x0"])
def test_a_size_out_of_its_range_is_shown_with_the_range(rest):
    with pytest.raises(DataError, match=rf"{rest}.*16 to 2048"):
        formats["scenes"].open(rest, None)


def test_the_largest_and_smallest_numbers_are_allowed():
    assert len(formats["scenes"].open("1000000@2048x2048#999999999", "test")) == 250_000
    assert len(formats["scenes"].open("1@16x16#0", None)) == 1


def test_an_unknown_split_names_the_known_ones():
    with pytest.raises(DataError, match=r"'trainval'.*train, val, test"):
        open_data("scenes:10", "trainval")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_one_scene_cannot_be_split(split):
    assert len(open_data("scenes:1")) == 1
    with pytest.raises(DataError, match="scenes:2 or more"):
        open_data("scenes:1", split)


def test_no_folder_is_recognised_as_scenes(tmp_path):
    assert not formats["scenes"].recognises(tmp_path)
