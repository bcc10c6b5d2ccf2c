"""Samples with labels over their photos: rare classes first."""

import io

import numpy as np
import pytest
from PIL import Image

from faulty_datasets import build, rewrite
from fullconv.data.checks import examine
from fullconv.data.survey.overlays import choose_samples, draw_overlays


@pytest.fixture
def photos(tmp_path):
    return build("folders", tmp_path / "set")


def test_the_samples_of_a_rare_class_come_first(photos):
    photos.without(3)
    few, many = photos.mask("train", 5), photos.mask("val", 2)
    rewrite(few, lambda raw: patch(raw, 4))
    rewrite(many, lambda raw: patch(raw, 7))
    survey = examine(str(photos.folder), workers=1).survey
    chosen = choose_samples(survey)
    assert len(chosen) == len({item.name for item in chosen}) == 12
    assert chosen[0].mask.path == many
    turns = survey.pixels().argsort()
    assert chosen[len(turns)].mask.path == few  # the class takes its second turn
    for place, label in enumerate(turns[1:], 1):
        rest = [item for item in survey.items if item not in chosen[:place]]
        assert chosen[place].labels[label] == max(item.labels.get(label, 0) for item in rest)


def patch(raw, side):
    raw[10 : 10 + side, 10 : 10 + side] = 3
    return raw


def test_a_black_class_stays_as_it_is_in_the_photo(photos):
    rewrite(photos.mask("train", 0), lambda raw: half(raw))
    survey = examine(str(photos.folder), workers=1).survey
    drawn = {name: (classes, jpeg) for name, classes, jpeg in draw_overlays(survey, 20)}
    item = next(item for item in survey.items if item.mask.path == photos.mask("train", 0))
    classes, jpeg = drawn[item.name]
    assert classes == "background, road"
    picture = np.asarray(Image.open(io.BytesIO(jpeg)), float)
    photo = np.asarray(Image.open(item.photo.path).resize(picture.shape[1::-1]), float)
    change = np.abs(picture - photo).mean((0, 2))
    middle = picture.shape[1] // 2
    assert change[: middle - 20].mean() < 12 < 30 < change[middle + 20 :].mean()


def half(raw):
    raw[:] = 0
    raw[:, raw.shape[1] // 2 :] = 1
    return raw


def test_nothing_is_drawn_of_a_set_without_labels(photos):
    (photos.folder / "classes.txt").write_text("a\na\n")
    assert [*draw_overlays(examine(str(photos.folder), workers=1).survey)] == []
