"""Pickles of plain data are read; everything else is refused."""

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
def test_plain_data_is_read_back(data, protocol):
    assert read(pickle.dumps(data, protocol=protocol)) == data


def test_shared_objects_stay_shared():
    inner = ["a"]
    first, second = read(pickle.dumps([inner, inner], protocol=4))
    assert first is second and first == inner


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_name_outside_the_table_is_reported(protocol):
    with pytest.raises(ForbiddenNameError) as caught:
        read(pickle.dumps(os.getcwd, protocol=protocol))
    assert caught.value.name == "posix.getcwd"


def test_reading_stops_at_the_end_of_the_pickle():
    content = pickle.dumps(1, protocol=2) + pickle.dumps("two", protocol=2)
    file = io.BytesIO(content)
    assert [rebuild(file, len(content), {}) for _ in range(2)] == [1, "two"]


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(content):
    file = io.BytesIO(b"\x80\x04" + content)
    try:
        found = rebuild(file, 2 + len(content), {})
    except ValueError:  # any other exception would be a bug
        assert file.tell() <= 2 + len(content)
    else:
        assert isinstance(found, PLAIN) and content[file.tell() - 3] == pickle.STOP[0]
