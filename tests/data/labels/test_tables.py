import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.data.labels.tables import ColorTable, LabelTable, identity_table
from fullconv.errors import ConfigError, LabelError
from fullconv.io.palettes import VOID

COLORS = {(10, 20, 30): 0, (30, 20, 10): 1, (0, 0, 0): VOID}


def test_numbers_are_mapped_to_labels():
    table = LabelTable(("a", "b"), {7: 0, 300: 1, 0: VOID})
    raw = np.array([[7, 300], [0, 7]], np.uint16)
    assert table(raw, "x.png").tolist() == [[0, 1], [VOID, 0]]
    assert table(raw, "x.png").dtype == np.uint8


@pytest.mark.parametrize("value", [2, 254, 256, 65535, 65536, -1, -(2**31)])
def test_an_unknown_number_is_an_error_with_its_count(value):
    raw = np.array([[0, value], [value, VOID]])
    with pytest.raises(LabelError, match=rf"x\.png: the value {value} \(2 pixels\).*0 to 1; 255"):
        identity_table(("a", "b"))(raw, "x.png")


def test_an_error_names_the_accepted_values_if_they_are_not_consecutive():
    with pytest.raises(LabelError, match=r"the value 1 \(1 pixels\).*the values 0, 255\); mend it"):
        LabelTable(("a", "b"), {0: 0, 255: 1}, "mend it")(np.array([[1, 0]]), "x.png")


def test_many_wrong_values_are_counted_instead_of_listed():
    with pytest.raises(LabelError, match="and 4 more values"):
        identity_table(("a",))(np.arange(10)[None], "x.png")


def test_an_invalid_table_is_refused():
    with pytest.raises(ConfigError, match="labels must be below"):
        LabelTable(("a",), {0: 1})
    with pytest.raises(ConfigError, match="256 classes"):
        LabelTable(tuple(map(str, range(256))), {})


@given(st.lists(st.sampled_from(sorted(COLORS)), min_size=1, max_size=20))
def test_colours_are_mapped_to_labels(colors):
    raw = np.array([colors], np.uint8)
    found = ColorTable(("a", "b"), COLORS)(raw, "x.png")
    assert found.tolist() == [[COLORS[color] for color in colors]]


@given(st.tuples(*[st.integers(0, 255)] * 3).filter(lambda color: color not in COLORS))
def test_an_unknown_colour_is_an_error_with_its_count(color):
    raw = np.array([[color, (0, 0, 0), color]], np.uint8)
    table = ColorTable(("a", "b"), COLORS)
    assert table.knows(raw).tolist() == [[False, True, False]]
    shown = "#{:02x}{:02x}{:02x}".format(*color)
    with pytest.raises(LabelError, match=rf"x\.png: the colour {shown} \(2 pixels\)"):
        table(raw, "x.png")


def test_an_empty_mask_has_no_labels():
    assert ColorTable(("a", "b"), COLORS)(np.zeros((0, 4, 3), np.uint8), "x").shape == (0, 4)
