import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID

# A line of the original's label_colors.txt each, and the class of the usual grouping.
MERGED = {
    "64 128 64\t\tAnimal": 9,
    "192 0 128\t\tArchway": 1,
    "0 128 192\t\tBicyclist": 10,
    "0 0 192\t\tSidewalk": 4,
    "0 0 64\t\tTrafficCone": 2,
    "0 0 0\t\tVoid": VOID,
}


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


@pytest.fixture
def segnet(tmp_path):
    """Write SegNet's layout: 12 values, lists with the paths of another machine."""
    for split, frames in (("train", "ab"), ("val", "c"), ("test", "d")):
        lines = []
        for frame in frames:
            write(tmp_path / split / f"{frame}.png", np.full((3, 4, 3), 9))
            write(tmp_path / f"{split}annot" / f"{frame}.png", np.arange(12).reshape(3, 4))
            line = f"/SegNet/CamVid/{split}/{frame}.png /SegNet/CamVid/{split}annot/{frame}.png"
            lines.append(line)
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def original(tmp_path):
    """The original's layout: a column of each colour in MERGED."""
    colors = np.array([list(map(int, line.split()[:3])) for line in MERGED])
    for clip, frames in (("0001TP", 4), ("0006R0", 3), ("Seq05VD", 2)):
        for frame in range(frames):
            name = f"{clip}_f0{frame}"
            write(tmp_path / "701_StillsRaw_full" / f"{name}.png", np.full((2, 6, 3), 9))
            write(tmp_path / "LabeledApproved_full" / f"{name}_L.png", np.stack([colors, colors]))
    return tmp_path


def test_11_is_void(segnet):
    assert recognise(segnet) == "camvid"
    data = open_data(segnet, "train")
    assert data.names == ("a", "b")
    assert len(data.classes) == len(data.palette) == 11
    assert data[0].labels.ravel().tolist() == [*range(11), VOID]


def test_lists_are_the_splits(segnet):
    (segnet / "tiny.txt").write_text("train/b.png trainannot/b.png\n")
    assert open_data(segnet, "val").names == ("c",)
    assert open_data(segnet, "tiny").names == ("b",)
    assert open_data(segnet).names == ("a", "b", "c", "d")
    with pytest.raises(NoSplitError, match="no split 'nosuch'; there are: test, tiny, train, val"):
        open_data(segnet, "nosuch")


def test_valid_txt_is_the_list_of_val(segnet):
    (segnet / "val.txt").rename(segnet / "valid.txt")
    assert recognise(segnet) == "camvid"
    assert open_data(segnet, "val").names == open_data(segnet, "valid").names == ("c",)
    (segnet / "val.txt").write_text("test/d.png testannot/d.png\n")
    assert open_data(segnet, "val").names == ("d",)
    assert open_data(segnet, "valid").names == ("c",)


def test_a_value_above_11_is_an_error(segnet):
    write(segnet / "valannot" / "c.png", np.full((3, 4), 12))
    with pytest.raises(LabelError, match=r"c\.png: the value 12 \(12 pixels\).*11 for void"):
        open_data(segnet, "val")[0]


def test_other_classes_in_this_layout_are_refused(segnet):
    names = [f"kind {number}" for number in range(12)]
    (segnet / "classes.txt").write_text("\n".join(names))
    with pytest.raises(DataError, match=r"12 classes from 'kind 0' .* open them as folders:"):
        open_data(segnet, "train")
    data = open_data(f"folders:{segnet}", "train")
    assert data.classes == tuple(names)
    assert data[0].labels.ravel().tolist() == list(range(12))


def test_a_line_without_its_files_is_named(segnet):
    (segnet / "val.txt").write_text("/x/val/c.png /x/valannot/none.png")
    with pytest.raises(DataError, match=r"val\.txt: '/x/val/c\.png .*its mask does not exist"):
        open_data(segnet, "val")


def test_a_test_list_without_its_files_does_not_stop_the_others(segnet):
    (segnet / "testannot" / "d.png").unlink()
    assert len(open_data(segnet, "train")) == 2
    with pytest.raises(DataError, match=r"test\.txt: .*its mask does not exist"):
        open_data(segnet, "test")


def test_32_colours_become_11_classes(original):
    assert recognise(original) == "camvid"
    data = open_data(original)
    assert len(data) == 9
    assert data[0].labels.tolist() == [list(MERGED.values())] * 2
    assert data.classes[9] == "Pedestrian"


def test_without_lists_clips_stay_in_one_split(original):
    train, val = (open_data(original, split).names for split in ("train", "val"))
    assert len(train) + len(val) == 9
    assert val
    assert not {name.split("_")[0] for name in train} & {name.split("_")[0] for name in val}


def test_lists_of_frames(original):
    (original / "val.txt").write_text("0006R0_f01\n0006R0_f02.png\n")
    assert open_data(original, "val").names == ("0006R0_f01", "0006R0_f02")


def test_original_classes_need_not_be_merged(original):
    data = open_data(f"camvid32:{original}")
    names = [line.split()[-1] for line in MERGED]
    assert len(data.classes) == 31
    assert [data.classes[label] for label in data[0].labels[0][:5]] == names[:5]
    assert data[0].labels[0, 5] == VOID


def test_colours_are_read_from_label_colors_txt(original):
    lines = [line.replace("64 128 64", "1 2 3") for line in MERGED]
    (original / "label_colors.txt").write_text("\n".join(lines))
    with pytest.raises(LabelError, match="#408040"):
        open_data(original)[0]


def test_own_classes_in_this_layout(segnet):
    (segnet / "label_colors.txt").write_text("0 0 0 Void\n10 20 30 cat\n1 1 1 dog\n")
    write(segnet / "valannot" / "c.png", [[(10, 20, 30), (1, 1, 1), (0, 0, 0), (1, 1, 1)]] * 3)
    data = open_data(segnet, "val")
    assert data.classes == ("cat", "dog")
    assert data[0].labels.tolist() == [[0, 1, VOID, 1]] * 3


@pytest.mark.parametrize(("stray", "void"), [(1, True), (3, False)])
def test_a_few_stray_pixels_are_void_and_more_are_an_error(original, stray, void):
    colors = np.full((50, 40, 3), (128, 0, 0))
    colors[0, :stray] = (1, 2, 3)
    write(original / "LabeledApproved_full" / "0001TP_f00_L.png", colors)
    write(original / "701_StillsRaw_full" / "0001TP_f00.png", colors)
    data = open_data(original)
    if void:
        assert np.unique(data[0].labels, return_counts=True)[1].tolist() == [1999, 1]
    else:
        with pytest.raises(LabelError, match=r"#010203 \(3 pixels\)"):
            data[0]


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(
        DataError,
        match=r"holds nothing, which is not the layout of camvid; expected train\.txt, train/ ",
    ):
        open_data(f"camvid:{tmp_path}")


def test_pixels_of_published_samples(shared):
    folder = shared("camvid")
    assert recognise(folder) == "camvid"
    data = open_data(folder, "tiny_train")
    lines = (folder / "tiny_train.txt").read_text().split()
    for sample, mask in zip(data, lines[1::2], strict=True):
        raw = np.asarray(Image.open(folder / mask))
        assert np.array_equal(sample.labels, np.where(raw == 11, VOID, raw))
    assert len(open_data(folder)) == 468


@pytest.mark.slow
def test_pixel_counts_of_published_samples(shared):
    folder = shared("camvid")
    published = json.loads((folder / "dataset.json").read_text())
    for split in ("train", "val"):
        counts = sum(np.bincount(s.labels.ravel(), minlength=256) for s in open_data(folder, split))
        assert counts[[*range(11), VOID]].tolist() == published[f"pixels_{split}"]


def test_colours_of_datumaro(shared):
    data = open_data(f"camvid:{shared('formats') / 'camvid_datumaro'}", "train")
    raw = np.asarray(Image.open(shared("formats") / "camvid_datumaro/trainannot/0001TP_006690.png"))
    names = {(0, 128, 192): "Bicyclist", (128, 64, 128): "Road"}
    expected = [names[tuple(color)] for color in raw[0].tolist()]
    assert [data.classes[label] for label in data[0].labels[0]] == expected
