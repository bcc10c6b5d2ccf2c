"""Names of output files are unique, and valid on every file system."""

import unicodedata

import pytest

from fullconv.batch.inputs import Input
from fullconv.batch.names import MAX_BYTES, assign_names, output_files, sanitize


def names(*paths):
    return [item.name for item in assign_names([Input(path, path) for path in paths])]


RESERVED = ["CON", "con", "nul", "Aux", "prn", "COM1", "lpt9", "com0", "con.x"]


@pytest.mark.parametrize("name", RESERVED)
def test_devices_of_windows_are_no_names(name):
    assert sanitize(name) == f"_{name}"


@pytest.mark.parametrize("name", ["console", "com10", "lpt", "_con", "aux2", "a.con"])
def test_names_that_only_resemble_devices_are_kept(name):
    assert sanitize(name) == name


def test_characters_that_windows_forbids_are_replaced():
    assert sanitize('a<b>c:d"e|f?g*h\\i/j') == "a_b_c_d_e_f_g_h_i_j"
    assert sanitize("a\x00b\x1fc\x7fd\x9f\n") == "a_b_c_d__"


@pytest.mark.parametrize("name", [".hidden", "..", ".", "...a"])
def test_no_name_is_hidden_or_a_folder(name):
    assert not sanitize(name).startswith(".") and sanitize(name)


def test_bytes_that_are_not_utf8_are_kept_and_half_characters_are_not():
    assert sanitize("caf\udce9") == "caf\udce9" and sanitize("\ud800") == "_"


def test_long_names_are_cut_and_stay_different():
    cut = [sanitize("ä" * 200 + end) for end in "ab"]
    assert len({*cut}) == 2 and all(len(name.encode()) <= MAX_BYTES for name in cut)


PAIRS = [
    ("a/x.png", "b/x.png"),
    ("a/x.png", "a/x.jpg"),
    ("a/Photo.png", "b/PHOTO.png"),
    ("a/straße.png", "b/STRASSE.png"),
    ("a/\u00e9.png", f"b/{unicodedata.normalize('NFD', chr(0xE9))}.png"),
    ("a/x?.png", "a/x*.png"),
    ("a/con.png", "a/_con.png"),
    ("a/x_png.png", "a/x.png", "a/x.jpg", "b/a__x_png.png"),
]


@pytest.mark.parametrize("paths", PAIRS)
def test_names_that_a_file_system_may_take_for_one_are_told_apart(paths):
    found = names(*paths)
    compared = {unicodedata.normalize("NFC", name).casefold() for name in found}
    assert len(compared) == len(paths), found


def test_a_name_that_is_taken_already_is_not_given_again():
    inputs = [Input(path, path) for path in ("new/A.png", "old/a.png")]
    first, second = assign_names(inputs, {"old/a.png": "a"})
    assert second.name == "a" and first.name.casefold() != "a"


def test_output_files_stay_below_their_folder():
    (item,) = assign_names([Input("x", "../../etc/..passwd.png")])
    assert output_files(item, ["labels"]) == {"labels": "labels/passwd.png"}
