"""Names without numbers are matched in order with as many values of the masks."""

import numpy as np
import pytest

from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.data.labels.classes import Entry, declare, parse_names
from fullconv.data.labels.encoding import resolve
from fullconv.data.labels.ignore_value import OPEN
from fullconv.errors import DataError
from mask_folders import drawn, folder_of


def table_of(tmp_path, names, *masks):
    paths = [tmp_path / f"{number}.png" for number in range(len(masks))]
    values = dict(zip(paths, masks, strict=True))
    declared = parse_names(names, tmp_path)
    return resolve(declared, paths, lambda path: np.array([values[path]]))


@pytest.mark.parametrize(
    ("names", "masks", "mapping"),
    [
        (["a", "b", "c"], [[0, 128, 255]], {0: 0, 128: 1, 255: 2}),
        (["a", "b", "c"], [[0, 128], [0], [255, 0]], {0: 0, 128: 1, 255: 2}),
        (["a", "b"], [[0, 128]], {0: 0, 128: 1}),
        (["a", "b"], [[20], [10]], {10: 0, 20: 1}),
        (["a", "b", "c", "d"], [[0, 85, 170, 255]], {0: 0, 85: 1, 170: 2, 255: 3}),
    ],
)
def test_values_are_matched_in_order(tmp_path, names, masks, mapping):
    declared, table = table_of(tmp_path, names, *masks)
    assert dict(table.indices.mapping) == mapping
    assert declared.classes == tuple(names)
    assert all(f"{value} {names[label]}" in table.note for value, label in mapping.items())
    assert ("the class" in table.rule) is (255 in mapping)


@pytest.mark.parametrize(
    ("names", "masks"),
    [
        (["a", "b", "c"], [[0, 1, 2, 255]]),
        (["a", "b", "c"], [[0, 1, 255]]),  # c does not occur, and 255 is ignored
        (["a", "b", "c"], [[1, 2, 3]]),  # numbered from 1, or a stray 3
        (["a", "b", "c"], [[0, 1, 200]]),  # a stray 200
        (["a", "b"], [[0, 100, 200]]),
        (["a", "b", "c", "d"], [[0, 100, 200]]),
    ],
)
def test_values_that_could_be_numbers_or_of_another_count_are_not(tmp_path, names, masks):
    _, table = table_of(tmp_path, names, *masks)
    assert table.note == ""
    numbers = {value: value for value in range(len(names))}
    assert dict(table.indices.mapping).items() >= numbers.items()


def test_one_value_more_that_is_255_is_an_open_question(tmp_path):
    with pytest.raises(DataError, match=r'0, 128 and 255 for 2 classes.*"255 void"') as caught:
        table_of(tmp_path, ["a", "b"], [0, 128, 255])
    assert caught.value.code == OPEN


def test_numbered_and_coloured_names_keep_their_values(tmp_path):
    assert not parse_names(["0 a", "1 b"], tmp_path).counted
    assert not parse_names(["a #000000", "b #ffffff"], tmp_path).counted
    assert not parse_names({0: "a", 1: "b"}, tmp_path).counted
    assert not parse_names(["__ignore__", "a"], tmp_path).counted
    assert parse_names(["a", "b"], tmp_path).counted
    assert not declare([Entry(0, "a")], "x").counted


def test_the_order_is_said_by_check_and_by_training(tmp_path):
    masks = drawn((0, 128, 255), (0.4, 0.3, 0.3))
    folder = folder_of(tmp_path / "set", masks)
    (folder / "classes.txt").write_text("road\ntree\ncar\n")
    data = open_data(folder)
    (warning,) = data.warnings
    assert warning.endswith("with the 3 values of the masks: 0 road, 128 tree, 255 car")
    assert (np.array([0, 128, 255])[data[0].labels] == masks[0]).all()
    found = {f.code: f for f in examine(str(folder), workers=1).findings}
    assert found["values-in-order"].severity == "note"
    assert warning in found["values-in-order"].found
