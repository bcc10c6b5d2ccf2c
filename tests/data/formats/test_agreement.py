"""The data check finds errors in a split exactly if opening and reading that split raises one."""

import pytest

import faulty_datasets
from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.errors import DataError

# Faults of files and names. Others, such as ids that count from 1, are found in what can be read.
FAULTS = (
    *("mask missing", "photo missing", "different size", "RGB mask", "JPEG mask", "16-bit photo"),
    *("value too large", "truncated photo", "truncated mask", "corrupt photo", "zero bytes"),
    *(
        "one stem twice",
        "too many pixels",
        "broken link",
        "looping link",
        "one photo in both lists",
    ),
)


def is_refused(source, split):
    try:
        for _ in open_data(source, split):
            pass
    except DataError:
        return True
    return False


def assert_agreement(source, split):
    errors = examine(source, split, workers=1).of("error")
    assert bool(errors) is is_refused(source, split), (split, errors)


@pytest.mark.parametrize("layout", faulty_datasets.LAYOUTS)
def test_a_clean_set_is_clean_for_both(layout, tmp_path):
    made = faulty_datasets.build(layout, tmp_path / "set")
    for split in ("train", "val"):
        assert not is_refused(str(made.folder), split)
        assert_agreement(str(made.folder), split)


@pytest.mark.parametrize(
    ("layout", "fault"), [case for case in faulty_datasets.CASES if case[1] in FAULTS]
)
def test_check_and_training_agree_about_a_fault(layout, fault, tmp_path):
    made = faulty_datasets.build(layout, tmp_path / "set")
    faulty_datasets.SEEDS[fault][0](made)
    for split in ("train", "val"):
        assert_agreement(str(made.folder), split)


def test_check_and_training_agree_about_a_broken_list(tmp_path):
    made = faulty_datasets.build("voc", tmp_path / "set")
    (made.folder / "ImageSets" / "Segmentation" / "val.txt").write_bytes(b"\xff\xfe\n")
    for split in ("train", "val"):
        assert is_refused(str(made.folder), split) is (split == "val")
        assert_agreement(str(made.folder), split)


def test_check_and_training_derive_the_same_classes(tmp_path):
    made = faulty_datasets.build("folders", tmp_path / "set")
    (made.folder / "classes.txt").unlink()
    made.without(3, ["val"])
    survey = examine(str(made.folder), "val", workers=1).survey
    assert survey.classes == open_data(str(made.folder), "val").classes
    assert len(survey.classes) == 4
