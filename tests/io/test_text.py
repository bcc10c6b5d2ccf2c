"""Text files are parsed within bounds; text cells of CSV files are no formulas."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.errors import DataError
from fullconv.io.text import (
    get_entry,
    parse_csv,
    parse_json,
    parse_xml,
    parse_yaml,
    read_utf8,
)

INTEGERS = st.integers(1 - 2**63, 2**63 - 1)
PLAIN = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    PLAIN | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(TREES)
def test_json_is_parsed_as_by_python(tree):
    assert parse_json(json.dumps(tree)) == tree
    assert parse_json(json.dumps(tree, ensure_ascii=False).encode()) == tree


SIGNS = st.text("ab1 :-#,[]{}'\"\n")
FLOWS = st.recursive(
    PLAIN | SIGNS, lambda inner: st.lists(inner) | st.dictionaries(SIGNS, inner), max_leaves=20
)


@given(FLOWS)
def test_json_is_also_yaml(tree):
    assert parse_yaml(json.dumps(tree)) == tree


BAD_JSON = {
    "deep": ("[" * 100_000 + "]" * 100_000, "more than 100 deep"),
    "as deep as Python allows": ("[" * 101 + "]" * 101, "more than 100 deep"),
    "deep objects": ('{"a":' * 101 + "1" + "}" * 101, "more than 100 deep"),
    "long": ("[" + "9" * 5000 + "]", "64 bits"),
    "2**63": (f"[{2**63}]", "64 bits"),
    "a large float": ("[-1e400]", "too large"),
    "half a character": (r'["\ud83d"]', "surrogate"),
    "the other half": (r'["\ude00"]', "surrogate"),
    "a key twice": ('{"a": 1, "b": {"c": 2, "c": 3}}', "'c' is given twice"),
    "not UTF-8": (b'["\xe9"]', "utf-8"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_json_outside_the_bounds_is_refused(what):
    text, message = BAD_JSON[what]
    with pytest.raises(ValueError, match=message):
        parse_json(text)


GOOD_JSON = [
    "[" * 100 + "]" * 100,
    '["' + "[" * 1000 + '"]',
    r'["\"[[", "\\"]',
    "[0.30000000000000004440892098500626, 1e-999]",
    f"[{2**63 - 1}]",
    r'["\ud83d\ude00", "\\ud83d"]',
]


@pytest.mark.parametrize("text", GOOD_JSON)
def test_json_within_the_bounds_is_parsed(text):
    assert parse_json(text) == json.loads(text)


def test_yaml_keeps_the_texts_that_were_written():
    found = parse_yaml("names: {0: no, 1: 1_0, 2: ~, 3: 'x', 4: 010, 5: true}", typed=False)
    assert list(found["names"].values()) == ["no", "1_0", "~", "x", "010", "true"]


def test_deep_xml_is_refused():
    assert parse_xml("<a>" * 100 + "</a>" * 100).tag == "a"
    with pytest.raises(ValueError, match="more than 100 deep"):
        parse_xml("<a>" * 200_000 + "</a>" * 200_000)


def test_csv_with_a_cell_without_an_end():
    assert parse_csv('a, "b, c"\n1,2') == [["a", "b, c"], ["1", "2"]]
    with pytest.raises(ValueError, match="CSV"):
        parse_csv('"' + "a" * 200_000)


def test_text_is_read_without_its_mark_and_with_line_feeds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_utf8(path) == "a\nb\nc\n"
    with pytest.raises(DataError, match="expected at most 4 B"):
        read_utf8(path, 4)


def test_an_integer_that_arrays_cannot_hold():
    with pytest.raises(DataError, match="'id' is a number beyond 64 bits"):
        get_entry({"id": 2**70}, "id", int, "a.json")
