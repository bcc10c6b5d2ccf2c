"""areas.csv, read with Python's csv module, gives the pixels back."""

import csv

import numpy as np
import torch

from fullconv.batch.class_areas import count_pixels, format_csv
from fullconv.inference.prediction import Prediction

CLASSES = ("sky", 'road, "wet"', "car")


def predict(labels):
    score = torch.nn.functional.one_hot(torch.tensor(labels), 3).permute(2, 0, 1).float()
    image = np.zeros((*score.shape[1:], 3), np.uint8)
    return Prediction(image, score.numpy(), CLASSES, ((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def test_absent_classes_are_counted_too():
    assert count_pixels(predict([[0, 0, 1], [0, 1, 1]])) == (3, 3, 0)


def test_the_table_has_shares_and_pixels():
    rows = [("a b.jpg", (3, 3, 0)), ("line\nbreak, comma.jpg", (0, 0, 12))]
    header, *read = csv.reader("".join(format_csv(rows, CLASSES)).splitlines(keepends=True))
    assert header == ["photo", *CLASSES, "pixels", *(f"{name} pixels" for name in CLASSES)]
    assert read[0] == ["a b.jpg", "0.500000", "0.500000", "0.000000", "6", "3", "3", "0"]
    assert read[1] == [
        "line\nbreak, comma.jpg",
        "0.000000",
        "0.000000",
        "1.000000",
        "12",
        "0",
        "0",
        "12",
    ]


def test_a_photo_without_labelled_pixels_has_no_shares():
    _, line = format_csv([("a", (0, 0, 0))], CLASSES)
    assert line == "a,,,,0,0,0,0\n"


def test_lines_are_yielded_row_by_row():
    taken = []

    def rows():
        for number in range(3):
            taken.append(number)
            yield str(number), (1, 0, 0)

    lines = format_csv(rows(), CLASSES)
    next(lines), next(lines)
    assert taken == [0]
