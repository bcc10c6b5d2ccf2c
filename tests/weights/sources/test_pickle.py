"""Pickles of plain data come out as they went in; anything else ends the reading."""

import codecs
import io
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.weights.sources._pickle import ForbiddenNameError, rebuild

NUMBERS = st.integers(-(2**200), 2**200) | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.binary()
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)
PLAIN = (type(None), bool, int, float, str, bytes, list, tuple, dict)
TABLE = {"_codecs.encode": codecs.encode, "__builtin__.bytes": bytes}


def read(content):
    return rebuild(io.BytesIO(content), len(content), TABLE)


@given(DATA, st.sampled_from([2, 3, 4]))
def test_plain_data_comes_out_as_it_went_in(data, protocol):
    assert read(pickle.dumps(data, protocol=protocol)) == data


def test_what_is_shared_stays_shared():
    inner = ["a"]
    first, second = read(pickle.dumps([inner, inner], protocol=4))
    assert first is second and first == inner


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_name_outside_the_table_is_told(protocol):
    with pytest.raises(ForbiddenNameError) as caught:
        read(pickle.dumps(os.getcwd, protocol=protocol))
    assert caught.value.name == "posix.getcwd"


def test_the_file_stays_behind_the_pickles_end():
    content = pickle.dumps(1, protocol=2) + pickle.dumps("two", protocol=2)
    file = io.BytesIO(content)
    assert [rebuild(file, len(content), {}) for _ in range(2)] == [1, "two"]


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(content):
    file = io.BytesIO(b"\x80\x04" + content)
    try:
        found = rebuild(file, 2 + len(content), {})
    except ValueError:  # of any other kind it would be a bug
        assert file.tell() <= 2 + len(content)
    else:
        assert isinstance(found, PLAIN) and content[file.tell() - 3] == pickle.STOP[0]
