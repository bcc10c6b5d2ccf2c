"""Which splits a training uses: train, or train and val, which is said."""

import numpy as np
import pytest

import fullconv as fc
from fullconv.data.sample import joined
from fullconv.errors import ConfigError, DataError
from fullconv.training.fingerprint import fingerprint
from fullconv.training.validation import open_splits


def test_train_and_val_are_one_set_and_it_is_said():
    train, val, note = open_splits("samples:nuclei", "train+val")
    own = fc.open_data("samples:nuclei", "train")
    assert train.names == (*own.names, *val.names) and train.split == "train+val"
    assert np.array_equal(train[len(own)].image, val[0].image)
    assert np.array_equal(train[0].labels, own[0].labels)
    assert "val was trained on" in note
    assert open_splits("samples:nuclei", "train")[0].names == own.names


def test_the_files_of_both_are_known_to_a_resumed_run():
    train, val, _ = open_splits("samples:nuclei", "train+val")
    known = fingerprint(train, val)
    assert len(known.splits["train"]) == len(train)
    assert all(photo and mask for photo, mask in known.splits["train"].values())


def test_a_sample_in_both_is_refused():
    train = fc.open_data("samples:nuclei", "train")
    with pytest.raises(DataError, match="is in train and in train"):
        joined(train, train)


def test_nothing_can_be_chosen_by_images_that_were_trained_on():
    with pytest.raises(ConfigError, match="no images are left to choose the best epoch by"):
        fc.TrainConfig(train_on="train+val")
    assert fc.TrainConfig(train_on="train+val", keep="last").train_on == "train+val"
