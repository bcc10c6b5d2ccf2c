"""Data errors with their parts, and missing optional packages."""

import pickle
import sys

import pytest

from fullconv.errors import (
    ConfigError,
    DataError,
    LabelError,
    MissingExtraError,
    NoSplitError,
    UnknownNameError,
    check_type,
    require,
)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({}, "no mask"),
        ({"expected": "one"}, "no mask; expected one"),
        ({"remedy": "add it"}, "no mask; add it"),
        ({"expected": "one", "remedy": "add it: now"}, "no mask; expected one: add it: now"),
        ({"where": "a.png", "remedy": "add it"}, "a.png: no mask; add it"),
    ],
)
def test_the_parts_of_a_data_error_form_one_sentence(parts, sentence):
    error = DataError("no mask", **parts)
    assert str(error) == sentence
    assert error.problem == sentence.partition("; ")[0]


def test_a_data_error_is_located_from_the_inside_out():
    inner = LabelError("class 9", expected="0 to 3")
    outer = inner.at("shape 2", remedy="draw it anew").at("a.json", remedy="never mind")
    assert str(outer) == "a.json: shape 2: class 9; expected 0 to 3: draw it anew"
    assert isinstance(outer, LabelError) and outer.code == "value-outside"
    assert str(inner) == "class 9; expected 0 to 3"


@pytest.mark.parametrize(
    "error",
    [
        DataError("no mask", "one", "add it", where="a.png", code="mask-missing"),
        NoSplitError("photos", "val", ["train"]),
        LabelError("class 9"),
    ],
)
def test_errors_travel_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert (str(copy), copy.code, copy.args) == (str(error), error.code, error.args)


def test_control_characters_of_file_names_do_not_reach_the_terminal():
    assert "\n" not in str(DataError("broken", where="a\nb.png"))


def test_a_package_that_is_installed_is_imported():
    import json.decoder

    assert require("json.decoder", extra="none", what="reading") is json.decoder


@pytest.mark.parametrize("module", ["nosuch", "nosuch.part"])
def test_a_missing_package_is_named_with_its_extra(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "nosuch", None)
    message = r'^reading a.tif needs the package nosuch, .*: pip install "fullconv\[geo\]"$'
    with pytest.raises(MissingExtraError, match=message) as caught:
        require(module, extra="geo", what="reading a.tif")
    assert isinstance(caught.value, ImportError)


def test_a_missing_part_of_an_installed_package_is_named():
    with pytest.raises(MissingExtraError, match=r"needs the package json\.nosuch, which is not"):
        require("json.nosuch", extra="geo", what="reading a.tif")


def test_an_argument_of_another_type_is_named_with_what_to_give():
    check_type("data", 3, (int, str), "a data set")
    with pytest.raises(ConfigError, match=r"^data is of the type list; expected a data set$"):
        check_type("data", [], (int, str), "a data set")


def test_a_name_that_is_no_text_is_named_too():
    error = UnknownNameError("engine", None, ["onnx", "torch"])
    assert str(error) == "unknown engine None; expected onnx, torch"
    assert (
        str(UnknownNameError("head", "x")) == "unknown head 'x'; expected none, for there is none"
    )
