"""Hidden files and those of systems are left out; everything else is found."""

import pytest

from fullconv.errors import DataError
from fullconv.io.visible import is_hidden, mark_results, visible, visible_entries


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "._photo.jpg", ".git", "__MACOSX", "Thumbs.db", "thumbs.db", "ehthumbs.db"),
        *("Desktop.ini", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"),
    ],
)
def test_what_is_hidden(name):
    assert is_hidden(name)


@pytest.mark.parametrize(
    "name",
    ["photo.jpg", "_classes.csv", "~photo.jpg", "thumbs.jpg", "#1.png", "@home", "a.DS_Store"],
)
def test_what_is_not_hidden(name):
    assert not is_hidden(name)


def test_patterns_find_what_globs_find_without_hidden_files(tmp_path):
    for name in ("a.png", "b.txt", "in/c.png", "in/.d.png", ".out/e.png", "in/@eaDir/f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(pattern):
        found = sorted(visible(tmp_path, pattern))
        return [path.relative_to(tmp_path).as_posix() for path in found]

    assert names("*") == ["a.png", "b.txt", "in"]
    assert names("*/") == ["in"] and names("*.png") == ["a.png"]
    assert names("*/*.png") == ["in/c.png"] and names("in/*") == ["in/c.png"]
    assert names("**/*.png") == ["a.png", "in/c.png"]
    assert [path.name for path in visible(tmp_path / ".out")] == ["e.png"]
    assert not [*visible(tmp_path / "missing")] and not [*visible(tmp_path / "a.png")]


def test_folders_of_runs_are_left_out_unless_one_is_named(tmp_path):
    for name in ("a.png", "in/c.png", "in/run/d.png", "in/run/deep/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    mark_results(tmp_path / "in/run")
    assert [path.name for path in visible_entries(tmp_path / "in")] == ["c.png"]
    assert sorted(path.name for path in visible(tmp_path, "**/*.png")) == ["a.png", "c.png"]
    assert [path.name for path in visible(tmp_path, "in/*")] == ["c.png"]
    assert [path.name for path in visible(tmp_path / "in", "*/")] == []
    assert [path.name for path in visible(tmp_path / "in", "*/", results=True)] == ["run"]
    assert len([*visible(tmp_path, "**/*.png", results=True)]) == 4
    named = sorted(path.name for path in visible(tmp_path / "in/run", "**/*.png"))
    assert named == ["d.png", "e.png"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(DataError, match="missing: the folder cannot be listed"):
        visible_entries(tmp_path / "missing")
