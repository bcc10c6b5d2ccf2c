import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError

RAW = np.array([[0, 1, 40], [2, 2, 0]], np.uint8)


@pytest.fixture
def rooms(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "segmentation").mkdir()
    for number in (5001, 5002):
        Image.new("RGB", (3, 2)).save(tmp_path / "data" / "images" / f"img_{number}.png")
        savemat(tmp_path / "segmentation" / f"img_{number}.mat", {"segmentation": RAW})
    (tmp_path / "train.txt").write_text("5002\n")
    return tmp_path


def test_0_is_void_as_the_authors_wrap_it(rooms):
    assert recognise(rooms) == "nyud"
    data = open_data(rooms)
    assert data.names == ("5001", "5002")
    assert np.array_equal(data[0].labels, RAW - np.uint8(1))  # their data layer


def test_lists_hold_numbers(rooms):
    assert open_data(rooms, "train").names == ("5002",)
    with pytest.raises(NoSplitError, match="no split 'test'; there are: train"):
        open_data(rooms, "test")


def test_a_value_above_40_is_an_error(rooms):
    savemat(rooms / "segmentation" / "img_5001.mat", {"segmentation": RAW + np.uint8(1)})
    with pytest.raises(LabelError, match=r"img_5001\.mat: the value 41"):
        open_data(rooms)[0]


def test_classes_and_lists_of_the_authors(rooms, shared):
    lists = shared("formats") / "voc_lists_fcn" / "nyud"
    names = (lists / "classes.txt").read_text().split("\n\n")[0].splitlines()
    assert list(open_data(rooms).classes) == names
    (rooms / "test.txt").write_text((lists / "test.txt").read_text())
    with pytest.raises(DataError, match=r"is the name of no sample \(and 651 more such problems"):
        open_data(rooms, "test")


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(
        DataError, match="holds nothing, which is not the layout of nyud; expected data/images"
    ):
        open_data(f"nyud:{tmp_path}")
