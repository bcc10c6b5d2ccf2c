"""Folders and stores hold files in the same way; a store may fail for a moment."""

import pytest

from fullconv.errors import ConfigError, ImageError, MissingExtraError, OutputError
from fullconv.io import storage
from fullconv.io.storage import Folder, Store, fetch, is_url, local_path, open_place

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    if system.exists("/store"):
        system.rm("/store", recursive=True)


@pytest.fixture(params=["folder", "store"])
def somewhere(request, tmp_path, memory):
    return open_place(tmp_path if request.param == "folder" else "memory://store")


def test_what_is_written_is_there_and_what_is_removed_is_not(somewhere):
    assert somewhere.read("a/b.txt") is None and somewhere.names("a") == set()
    somewhere.write("a/b.txt", b"1")
    somewhere.write("a/b.txt", b"2")
    somewhere.write("a/deep/c.txt", b"3")
    assert somewhere.read("a/b.txt") == b"2" and somewhere.names("a") == {"b.txt"}
    somewhere.remove("a/b.txt")
    somewhere.remove("a/b.txt")
    assert somewhere.read("a/b.txt") is None and somewhere.names("a/deep") == {"c.txt"}


def test_paths_and_urls_are_told_apart(tmp_path):
    assert is_url("s3://b/k") and is_url("file:///a") and not is_url("C:\\a") and not is_url("a:b")
    assert open_place(f"file://{tmp_path}/a%20b") == Folder(tmp_path / "a b")
    assert isinstance(open_place("memory://x"), Store) and local_path("s3://x") is None


def test_a_wrong_url_is_told_at_once():
    with pytest.raises(ConfigError, match="nosuch"):
        open_place("nosuch://x")


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"fullconv\[storage\]"):
        open_place("memory://x")


def test_what_cannot_be_fetched_is_one_photos_affair(memory, monkeypatch):
    with pytest.raises(ImageError, match="no such file"):
        fetch("memory://store/lost.png")
    memory.pipe_file("/store/large.png", b"12345")
    monkeypatch.setattr(storage, "MAX_BYTES", 4)
    with pytest.raises(ImageError, match="more than the limit"):
        fetch("memory://store/large.png")


class Moody:
    """Fails so many times before it works."""

    def __init__(self, times, error):
        self.times, self.error, self.calls = times, error, 0

    def __call__(self, *_):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return b"content"


@pytest.mark.parametrize(("times", "works"), [(2, True), (3, False)])
def test_a_store_that_fails_for_a_moment_is_asked_again(memory, monkeypatch, times, works):
    monkeypatch.setattr(storage, "PAUSE", 0)
    store, moody = open_place("memory://store"), Moody(times, OSError("503 slow down"))
    monkeypatch.setattr(type(memory), "pipe_file", moody)
    if works:
        store.write("a", b"")
    else:
        with pytest.raises(OutputError, match=r"memory://store/a .* 503 slow down"):
            store.write("a", b"")
    assert moody.calls == 3


def test_what_will_not_change_is_not_asked_again(memory, monkeypatch):
    moody = Moody(9, PermissionError(13, "Permission denied"))
    monkeypatch.setattr(type(memory), "pipe_file", moody)
    with pytest.raises(OutputError, match="Permission denied"):
        open_place("memory://store").write("a", b"")
    assert moody.calls == 1
