"""Text cells of CSV files."""

import pytest

from fullconv.io.text import escape_formula


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_escaped(text):
    assert escape_formula(text) == "'" + text


@pytest.mark.parametrize("text", ["", "road", "traffic-sign", "a=b", " =1"])
def test_plain_text_is_unchanged(text):
    assert escape_formula(text) == text
