"""Names that are read from files never lead out of their folder."""

import pytest

from fullconv.errors import DataError
from fullconv.io.contained import contained, is_contained
from fullconv.io.storage import Folder, Store

OUTSIDE = [
    *("..", "../a", "a/../../b", "/etc/passwd", "//server/a", "a//b", "", ".", "a/./b", "a/"),
    *("C:a", "c:\\a", "..\\a", "a\\..\\..\\b", "\\\\server\\a", "a\0b"),
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused_everywhere(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert not is_contained(name)
    place = Folder(root)
    actions = [lambda: place.write(name, b""), lambda: place.remove(name)]
    if name:
        actions += [lambda: place.read(name), lambda: place.names(name)]
        actions.append(lambda: Store("memory://x")._path(name))
    for action in actions:
        with pytest.raises(DataError):
            action()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("value", [None, 7, ["a"], b"a"])
def test_only_texts_are_names(value):
    assert not is_contained(value)


@pytest.mark.parametrize("name", ["a", "a/b.png", "..a", "a..", "...", "ä ö/\udce9.png", ".a/b"])
def test_names_below_the_folder_are_kept(tmp_path, name):
    Folder(tmp_path).write(name, b"1")
    assert Folder(tmp_path).read(name) == b"1" and contained(tmp_path, name) == tmp_path / name


def test_a_link_inside_is_refused_and_its_target_stays(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / "a").write_bytes(b"precious")
    root.mkdir()
    (root / "labels").symlink_to(outside)
    (root / "inside").mkdir()
    (root / "inner").symlink_to(root / "inside")
    place = Folder(root)
    for folder in ("labels", "inner"):
        for action in (
            lambda name: place.write(name, b"x"),
            place.remove,
            place.read,
            lambda name: place.names(name.partition("/")[0]),
        ):
            with pytest.raises(DataError, match=rf"root/{folder} is a link; .*remove the link"):
                action(f"{folder}/a")
    assert (outside / "a").read_bytes() == b"precious" and len(list(outside.iterdir())) == 1


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Folder(tmp_path / "link").write("a/b", b"1")
    assert (tmp_path / "real/a/b").read_bytes() == b"1"
    assert Folder(tmp_path / "link").names("a") == {"b"}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).symlink_to("../victim")
    place = Folder(root)
    assert place.names() == set()
    with pytest.raises(DataError, match="is a link"):
        place.read("a")
    place.write("a", b"new")
    place.remove("b")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert place.read("a") == b"new" and not (root / "b").is_symlink()
