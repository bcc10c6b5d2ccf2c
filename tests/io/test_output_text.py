"""JSON and CSV files can be read by every program, and no spreadsheet executes them."""

import csv
import io
import json

import pytest

from fullconv.io.output_text import csv_cell, csv_text, json_bytes

FORMULAS = [
    *("=1+1", "+1", "-x", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"),
    *("\uff1d1", "\uff20a"),
]
PLAIN = [
    *("", "road", "traffic-sign", "a=b", " =1", "it's", "\u00e4, \u00f6"),
    *("-", "-0.5", "-1e-05", "nan", "-inf", ".5", "3."),
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_text(text):
    cell = csv_cell(text)
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_and_numbers_stay_as_they_are(text):
    assert csv_cell(text) == text


def test_csv_is_read_back_as_it_was_written():
    rows = [["class", "pixels"], ["two\nlines, =1", 7], ["\x1b[31m\udce9", -0.5], ["=1", None]]
    text = csv_text(rows)
    text.encode("utf-8")
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [
        ["class", "pixels"],
        ["two\nlines, =1", "7"],
        ["\x1b[31m\\udce9", "-0.5"],
        ["'=1", ""],
    ]


def test_json_is_utf_8_whatever_the_names():
    values = {"ä\udce9": ["\x1b[31m", "\ud800", 1.5]}
    assert json.loads(json_bytes(values).decode("utf-8")) == values
    with pytest.raises(ValueError, match="JSON compliant"):
        json_bytes(float("nan"))
