"""Contact sheets show photos next to their predictions."""

import itertools

import numpy as np
import torch

from fullconv.batch.writers.contact_sheet import COLUMNS, GAP, PAGE, PANEL, draw_contact_sheets
from fullconv.inference.prediction import Prediction

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 0, 255), (60, 70, 80), (0, 128, 0))


def predict(label, height=40, width=60, grey=200):
    score = torch.zeros(3, height, width)
    score[label] = 1
    return Prediction(np.full((height, width, 3), grey, np.uint8), score.numpy(), CLASSES, PALETTE)


def colors(picture):
    return {tuple(color) for color in picture.reshape(-1, 3).tolist()}


def test_photo_and_prediction_are_side_by_side():
    (sheet,) = draw_contact_sheets([("one", predict(2))])
    middle = (PANEL[0] + GAP) // 2
    assert tuple(sheet[middle, (PANEL[1] + GAP) // 2]) == (200, 200, 200)
    half = tuple(sheet[middle, (PANEL[1] + GAP) * 3 // 2])
    assert half == (100, 164, 100), "half photo, half the class's colour"


def test_the_legend_has_only_the_classes_of_the_sheet():
    (sheet,) = draw_contact_sheets([("one", predict(2)), ("two", predict(0))])
    assert {PALETTE[0], PALETTE[2]} <= colors(sheet) and PALETTE[1] not in colors(sheet)


def test_a_full_sheet_is_yielded_before_more_is_consumed():
    asked = itertools.count()
    endless = ((str(number), predict(number % 3)) for number in asked)
    sheets = draw_contact_sheets(endless)
    first = next(sheets)
    assert next(asked) == PAGE
    assert first.shape[1] == COLUMNS * 2 * (PANEL[1] + GAP)


def test_each_sheet_has_its_own_legend():
    first, second = draw_contact_sheets(
        [(str(n), predict(0 if n < PAGE else 2)) for n in range(PAGE + 1)]
    )
    assert PALETTE[0] in colors(first) and PALETTE[2] not in colors(first)
    assert PALETTE[2] in colors(second) and PALETTE[0] not in colors(second)


def test_no_predictions_give_no_sheet():
    assert list(draw_contact_sheets([])) == []


def test_every_shape_of_photo_fits():
    shapes = [(1, 1), (1, 900), (900, 1), (37, 53)]
    sheets = draw_contact_sheets([("x" * 300, predict(0, *shape)) for shape in shapes])
    assert [sheet.shape[1] for sheet in sheets] == [COLUMNS * 2 * (PANEL[1] + GAP)]
