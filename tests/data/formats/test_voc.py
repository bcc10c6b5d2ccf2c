from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import VOCSegmentation

from fullconv.data.formats import open_data, recognise
from fullconv.data.formats.voc import CLASSES
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID, voc_palette

LABELS = np.array([[0, 15, 20], [255, 7, 7]], np.uint8)


def write_mask(path: Path, labels: np.ndarray = LABELS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(labels)
    mask.putpalette(bytes(value for color in voc_palette(256) for value in color))
    mask.save(path)


def write_photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), (10, 20, 30)).save(path)


@pytest.fixture
def year(tmp_path):
    """VOCdevkit/VOC2012 with five photos, of which one is in the test list only."""
    year = tmp_path / "VOCdevkit" / "VOC2012"
    lists = year / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, stems in (("train", "abc"), ("val", "d"), ("trainval", "abcd"), ("test", "e")):
        (lists / f"{split}.txt").write_text("".join(f"2007_{stem}\n" for stem in stems))
        for stem in stems:
            write_photo(year / "JPEGImages" / f"2007_{stem}.jpg")
            if split != "test":
                write_mask(year / "SegmentationClass" / f"2007_{stem}.png")
    return year


@pytest.mark.parametrize("parent", ["../..", "..", "."])
def test_every_way_to_name_the_folder(year, parent):
    folder = (year / parent).resolve()
    assert recognise(folder) == "voc"
    assert open_data(folder, "train").names == ("2007_a", "2007_b", "2007_c")


def test_torchvision_reads_the_same(year):
    theirs = VOCSegmentation(str(year.parents[1]), year="2012", image_set="trainval")
    ours = open_data(year, "trainval")
    assert len(ours) == len(theirs) == 4
    for sample, (photo, mask) in zip(ours, theirs, strict=True):
        assert np.array_equal(sample.image, np.asarray(photo))
        assert np.array_equal(sample.labels, np.asarray(mask))


def test_classes_and_colours_are_vocs(year):
    data = open_data(year, "val")
    assert data.classes == CLASSES
    assert len(CLASSES) == 21
    assert data.palette[15] == (192, 128, 128)  # the devkit's colour of a person


def test_without_a_split_all_photos_with_a_mask_are_opened(year):
    assert open_data(year).names == ("2007_a", "2007_b", "2007_c", "2007_d")


def test_the_test_list_has_no_masks(year):
    with pytest.raises(
        DataError, match=r"test\.txt: '2007_e' has no mask; expected a mask of this name in"
    ):
        open_data(year, "test")


def test_the_authors_list_is_a_split(year):
    (year / "seg11valid.txt").write_text("2007_b\n2007_d\n")
    assert open_data(year, "seg11valid").names == ("2007_b", "2007_d")
    with pytest.raises(
        NoSplitError, match="no split 'nosuch'; there are: seg11valid, test, train, "
    ):
        open_data(year, "nosuch")


def test_augmented_masks_fill_the_gaps(year):
    write_photo(year / "JPEGImages" / "2008_x.jpg")
    for stem in ("2008_x", "2007_a"):
        write_mask(year / "SegmentationClassAug" / f"{stem}.png", np.full((2, 3), 3, np.uint8))
    aug = "/JPEGImages/2008_x.jpg /SegmentationClassAug/2008_x.png\n/JPEGImages/2007_a.jpg x\n"
    (year / "ImageSets" / "Segmentation" / "train_aug.txt").write_text(aug)
    first, second = open_data(year, "train_aug")
    assert (first.labels == 3).all()
    assert np.array_equal(second.labels, LABELS)


def test_masks_in_colours(year):
    colors = np.array(voc_palette(256), np.uint8)
    colors[VOID] = (224, 224, 192)
    Image.fromarray(colors[LABELS]).save(year / "SegmentationClass" / "2007_a.png")
    assert np.array_equal(open_data(year, "train")[0].labels, LABELS)


def test_a_value_above_20_is_an_error(year):
    write_mask(year / "SegmentationClass" / "2007_a.png", LABELS + np.uint8(1))
    with pytest.raises(LabelError, match=r"2007_a\.png: the value 21 \(1 pixels\)"):
        open_data(year, "train")[0]


def test_own_classes(year):
    (year / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nb:0,0,0::\ncat:9,8,7::\n")
    Image.fromarray(np.array([[(9, 8, 7), (0, 0, 0), (9, 8, 7)]] * 2, np.uint8)).save(
        year / "SegmentationClass" / "2007_d.png"
    )
    data = open_data(year, "val")
    assert data.classes == ("b", "cat")
    assert data[0].labels.tolist() == [[1, 0, 1]] * 2


def test_two_years_are_ambiguous(year):
    (year.parent / "VOC2007" / "ImageSets" / "Segmentation").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds VOC2007, VOC2012; say which: voc:.*VOC2012"):
        open_data(f"voc:{year.parent}")


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(
        DataError,
        match="holds nothing, which is not the layout of voc; expected ImageSets/Segmentation",
    ):
        open_data(f"voc:{tmp_path}")


def test_a_real_photo_and_the_authors_list(shared, year):
    demo, lists = shared("formats") / "voc_fcn_demo", shared("formats") / "voc_lists_fcn"
    stems = (lists / "pascal" / "seg11valid.txt").read_text().split()
    (year / "seg11valid.txt").write_text("\n".join(stems))
    mask = year / "SegmentationClass" / f"{stems[0]}.png"
    mask.write_bytes((demo / "label.png").read_bytes())
    with pytest.raises(
        DataError,
        match=r"seg11valid\.txt: .* is the name of no sample \(and 735 more such problems\)",
    ):
        open_data(year, "seg11valid")
    for stem in stems:
        (year / "JPEGImages" / f"{stem}.jpg").write_bytes((demo / "image.jpg").read_bytes())
        if stem != stems[0]:
            (year / "SegmentationClass" / f"{stem}.png").symlink_to(mask)
    data = open_data(year, "seg11valid")
    assert len(data) == 736
    raw = np.asarray(Image.open(demo / "label.png"))
    assert np.array_equal(data[0].labels, raw)
    assert [data.classes[label] for label in np.unique(raw)[:-1]] == [
        *("background", "bicycle", "person"),
    ]
