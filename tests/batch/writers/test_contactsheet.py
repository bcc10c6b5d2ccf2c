import itertools

import numpy as np
import torch

from fullconv.batch.writers.contact_sheet import COLUMNS, GAP, PAGE, PANEL, contact_sheets
from fullconv.inference.predictor import Prediction

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 0, 255), (60, 70, 80), (0, 128, 0))


def answer(label, height=40, width=60, grey=200):
    score = torch.zeros(3, height, width)
    score[label] = 1
    return Prediction(np.full((height, width, 3), grey, np.uint8), score, CLASSES, PALETTE)


def colors(picture):
    return {tuple(color) for color in picture.reshape(-1, 3).tolist()}


def test_photo_and_answer_stand_side_by_side():
    (sheet,) = contact_sheets([("one", answer(2))])
    middle = (PANEL[0] + GAP) // 2
    assert tuple(sheet[middle, (PANEL[1] + GAP) // 2]) == (200, 200, 200)
    half = tuple(sheet[middle, (PANEL[1] + GAP) * 3 // 2])
    assert half == (100, 164, 100), "half photo, half the class's colour"


def test_the_legend_has_the_classes_of_the_sheet_only():
    (sheet,) = contact_sheets([("one", answer(2)), ("two", answer(0))])
    assert {PALETTE[0], PALETTE[2]} <= colors(sheet) and PALETTE[1] not in colors(sheet)


def test_a_full_sheet_is_given_before_more_is_asked_for():
    asked = itertools.count()
    endless = ((str(number), answer(number % 3)) for number in asked)
    sheets = contact_sheets(endless)
    first = next(sheets)
    assert next(asked) == PAGE
    assert first.shape[1] == COLUMNS * 2 * (PANEL[1] + GAP)


def test_each_sheet_has_its_own_legend():
    first, second = contact_sheets(
        [(str(n), answer(0 if n < PAGE else 2)) for n in range(PAGE + 1)]
    )
    assert PALETTE[0] in colors(first) and PALETTE[2] not in colors(first)
    assert PALETTE[2] in colors(second) and PALETTE[0] not in colors(second)


def test_no_answers_make_no_sheet():
    assert list(contact_sheets([])) == []


def test_every_shape_of_photo_fits():
    shapes = [(1, 1), (1, 900), (900, 1), (37, 53)]
    sheets = contact_sheets([("x" * 300, answer(0, *shape)) for shape in shapes])
    assert [sheet.shape[1] for sheet in sheets] == [COLUMNS * 2 * (PANEL[1] + GAP)]
