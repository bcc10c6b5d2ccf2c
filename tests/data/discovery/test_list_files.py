"""Split lists: which files are lists, and of which split, by one rule for all formats."""

import pytest

from fullconv.data.discovery.list_files import find_lists, list_split, split_from_name


@pytest.mark.parametrize(
    ("split", "stems"),
    {
        "train": "train training train_list trainlist train-list list_train train_files "
        "train_image_list TrainSet train_ids train2017 train_2012 trn training_data",
        "val": "val valid validation dev val_list valid_list validation_files vallist val2017",
        "test": "test testing test_list testlist test_data file_list_test",
        "trainval": "trainval trainval_list",
    }.items(),
)
def test_customary_names_of_lists(split, stems):
    for stem in stems.split():
        assert list_split(stem) == split, stem


@pytest.mark.parametrize(
    "stem", ["train_aug", "train1", "train_1", "train_masks", "aeroplane_train", "list", "trainee"]
)
def test_other_names_mean_no_split(stem):
    assert list_split(stem) is None
    assert split_from_name("valid2017") == "val"


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a\n")


def test_only_usual_names_are_lists_in_the_data_set_itself(tmp_path):
    write(tmp_path, "train_list.txt", "valid.lst", "notes.txt", "classes.txt", "test.csv", "x.csv")
    write(tmp_path, "splits/mine.txt", "splits/classes.txt", "ImageSets/Main/cat_train.txt")
    lists = {split: path.name for split, path in find_lists(tmp_path).items()}
    assert lists == {
        "train": "train_list.txt",
        "val": "valid.lst",
        "test": "test.csv",
        "mine": "mine.txt",
    }
    every = find_lists(tmp_path, ("",), any_name=True)
    assert every.keys() == {"train", "val", "test", "notes"}


def test_no_list_is_lost_if_two_have_one_meaning(tmp_path):
    write(tmp_path, "val.txt", "valid.txt", "train.txt", "train_list.txt", "train_list.csv")
    lists = {split: path.name for split, path in find_lists(tmp_path).items()}
    assert lists == {
        "train": "train.txt",
        "train_list": "train_list.txt",
        "val": "val.txt",
        "valid": "valid.txt",
    }


def test_the_first_place_wins(tmp_path):
    write(tmp_path, "train.txt", "splits/train.txt", "splits/val.txt")
    lists = find_lists(tmp_path)
    assert lists == {"train": tmp_path / "train.txt", "val": tmp_path / "splits" / "val.txt"}
