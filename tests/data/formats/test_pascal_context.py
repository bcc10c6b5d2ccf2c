import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID

NAMES = ["accordion", "aeroplane", "air conditioner", "bedclothes", "table", "cloth", "sky"]
WANTED = ["aeroplane", "bedcloth", "diningtable", "clothes", "sky"]
RAW = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint16)
# What the FCN authors' data layer makes of RAW, by hand: 1 + index in WANTED, 0 otherwise.
AUTHORS = np.array([[0, 0, 1, 0], [2, 3, 4, 5]])


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    main = tmp_path / "VOC2010" / "ImageSets" / "Main"
    (folder / "trainval").mkdir(parents=True)
    main.mkdir(parents=True)
    (tmp_path / "VOC2010" / "JPEGImages").mkdir()
    for file, names in (("labels", NAMES), ("59_labels", WANTED)):
        lines = (f"{number}: {name}\n" for number, name in enumerate(names, 1))
        (folder / f"{file}.txt").write_text("".join(lines))
    for split, stems in (("train", "ab"), ("val", "cd"), ("aeroplane_val", "c")):
        (main / f"{split}.txt").write_text("".join(f"2008_{stem}\n" for stem in stems))
    for stem in "abc":  # d is in VOC's list and has no mask
        Image.new("RGB", (4, 2)).save(tmp_path / "VOC2010" / "JPEGImages" / f"2008_{stem}.jpg")
        savemat(folder / "trainval" / f"2008_{stem}.mat", {"LabelMap": RAW})
    return folder


def test_59_classes_and_void(context):
    assert recognise(context) == "pascal_context"
    data = open_data(context)
    assert data.classes == tuple(WANTED)
    assert np.array_equal(data[0].labels, np.where(AUTHORS == 0, VOID, AUTHORS - 1))


def test_60_classes_are_what_the_authors_trained(context):
    data = open_data(f"pascal_context60:{context}")
    assert data.classes == ("background", *WANTED)
    assert np.array_equal(data[0].labels, AUTHORS)


def test_splits_are_those_of_voc_with_masks(context):
    assert open_data(context, "train").names == ("2008_a", "2008_b")
    assert open_data(context, "val").names == ("2008_c",)
    with pytest.raises(NoSplitError, match="no split 'aeroplane_val'; there are: train, val"):
        open_data(context, "aeroplane_val")


def test_an_own_list_must_be_complete(context):
    (context / "mine.txt").write_text("2008_a\n2008_d\n")
    with pytest.raises(DataError, match=r"mine\.txt: '2008_d' is the name of no sample"):
        open_data(context, "mine")


def test_a_value_without_a_name_is_an_error(context):
    savemat(context / "trainval" / "2008_c.mat", {"LabelMap": RAW + np.uint16(460)})
    with pytest.raises(LabelError, match=r"2008_c\.mat: the value 460 .*labels\.txt must name"):
        open_data(context, "val")[0]


def test_a_class_that_labels_txt_does_not_have(context):
    (context / "59_labels.txt").write_text("1: sofa\n")
    with pytest.raises(DataError, match=r"labels\.txt has no 'sofa'"):
        open_data(context)


def test_missing_parts_are_named(context, tmp_path):
    (context / "59_labels.txt").write_text("sofa\n")
    with pytest.raises(DataError, match=r"59_labels\.txt: 'sofa'; expected \"12: name\""):
        open_data(context)
    with pytest.raises(
        DataError,
        match=r"holds VOC2010, context, .* of pascal_context; expected trainval/",
    ):
        open_data(f"pascal_context:{tmp_path}")


def test_names_of_the_authors_are_59(shared, context):
    """Their list numbers the outputs: background, then the order of 59_labels.txt."""
    lists = shared("formats") / "voc_lists_fcn" / "pascal-context"
    names = [line for line in (lists / "classes-59.txt").read_text().splitlines() if line]
    every = [line for line in (lists / "classes-400.txt").read_text().splitlines() if line]
    (context / "59_labels.txt").write_text("\n".join(names[1:]))
    (context / "labels.txt").write_text("\n".join(every))
    data = open_data(f"pascal_context60:{context}")
    assert list(data.classes) == [line.partition(": ")[2] for line in names]


@pytest.mark.parametrize("number", ["9" * 5000, "70000", "\u00b2", "-1", "1_0", ""])
@pytest.mark.parametrize("file", ["labels.txt", "59_labels.txt"])
def test_a_number_that_is_no_value_of_a_mask_is_refused(context, file, number):
    path = context / file
    path.write_text(f"{number}: x\n{path.read_text()}", "utf-8")
    with pytest.raises(DataError, match=rf'{file}: .*expected "12: name"'):
        open_data(context)
