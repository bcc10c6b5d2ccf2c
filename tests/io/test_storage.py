"""Folders and object stores have the same interface; transient errors of a store are retried."""

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
def place(request, tmp_path, memory):
    return open_place(tmp_path if request.param == "folder" else "memory://store")


def test_files_are_written_read_listed_and_removed(place):
    assert place.read("a/b.txt") is None and place.names("a") == set()
    place.write("a/b.txt", b"1")
    place.write("a/b.txt", b"2")
    place.write("a/deep/c.txt", b"3")
    assert place.read("a/b.txt") == b"2" and place.names("a") == {"b.txt"}
    place.remove("a/b.txt")
    place.remove("a/b.txt")
    assert place.read("a/b.txt") is None and place.names("a/deep") == {"c.txt"}


def test_paths_and_urls_are_distinguished(tmp_path):
    assert is_url("s3://b/k") and is_url("file:///a") and not is_url("C:\\a") and not is_url("a:b")
    assert open_place(f"file://{tmp_path}/a%20b") == Folder(tmp_path / "a b")
    assert isinstance(open_place("memory://x"), Store) and local_path("s3://x") is None


def test_an_unsupported_url_is_refused_at_once():
    with pytest.raises(ConfigError, match="nosuch"):
        open_place("nosuch://x")


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"fullconv\[storage\]"):
        open_place("memory://x")


def test_a_failed_download_is_an_error_of_that_photo_only(memory, monkeypatch):
    with pytest.raises(ImageError, match="no such file"):
        fetch("memory://store/lost.png")
    memory.pipe_file("/store/large.png", b"12345")
    monkeypatch.setattr(storage, "MAX_BYTES", 4)
    with pytest.raises(ImageError, match="more than the limit"):
        fetch("memory://store/large.png")


class FailingCall:
    """Raise an error the first `times` calls."""

    def __init__(self, times, error):
        self.times, self.error, self.calls = times, error, 0

    def __call__(self, *_):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return b"content"


@pytest.mark.parametrize(("times", "works"), [(2, True), (3, False)])
def test_transient_errors_are_retried(memory, monkeypatch, times, works):
    monkeypatch.setattr(storage, "PAUSE", 0)
    store, call = open_place("memory://store"), FailingCall(times, OSError("503 slow down"))
    monkeypatch.setattr(type(memory), "pipe_file", call)
    if works:
        store.write("a", b"")
    else:
        with pytest.raises(OutputError, match=r"memory://store/a .* 503 slow down"):
            store.write("a", b"")
    assert call.calls == 3


def test_permanent_errors_are_not_retried(memory, monkeypatch):
    call = FailingCall(9, PermissionError(13, "Permission denied"))
    monkeypatch.setattr(type(memory), "pipe_file", call)
    with pytest.raises(OutputError, match="Permission denied"):
        open_place("memory://store").write("a", b"")
    assert call.calls == 1


class Endless:
    """A file system with a file that never ends; its size is unknown, or said to be another."""

    def __init__(self, length=None, said=None):
        self.length, self.taken, self.said = length, 0, said

    def size(self, path):
        return self.said

    def cat_file(self, path):
        raise AssertionError("read as a whole")

    def open(self, path, mode, block_size=None):
        assert block_size == 0  # one stream
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, count):
        left = count if self.length is None else min(count, self.length - self.taken)
        self.taken += left
        return bytes(left)


@pytest.mark.parametrize("said", [None, 5])
def test_a_file_is_read_up_to_the_limit_whatever_its_size_is_said_to_be(monkeypatch, said):
    monkeypatch.setattr(storage, "MAX_BYTES", 100)
    monkeypatch.setattr(storage, "BLOCK", 8)
    for length in (None, 101):
        system = Endless(length, said)
        monkeypatch.setattr(storage, "_system", lambda url, system=system: (system, url))
        with pytest.raises(ImageError, match=r"b\.png: more than the limit of 100 B"):
            fetch("http://a/b.png")
        assert system.taken <= 108
    monkeypatch.setattr(storage, "_system", lambda url: (Endless(100, said), url))
    assert fetch("http://a/b.png") == bytes(100)
