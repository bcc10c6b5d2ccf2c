"""A file appears complete or not at all."""

import errno
import os
import socket
from pathlib import Path

import pytest

from fullconv.errors import OutputError
from fullconv.io.atomic import (
    is_special,
    remove_temporaries,
    replacing,
    write_bytes,
    write_new,
    write_text,
)


def test_the_content_is_written(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "grün")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "grün".encode()
    assert os.listdir(tmp_path / "new") == ["a.txt"]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_never_replaces_another(tmp_path, monkeypatch, has_links):
    if not has_links:
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError(1, "no")))
    write_new(tmp_path / "a", b"first")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b"second")
    assert sorted(os.listdir(tmp_path)) == ["a", "link"]
    assert (tmp_path / "a").read_bytes() == b"first"
    with pytest.raises(OSError):
        write_new(tmp_path / "a" / "b", b"")


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_bytes(tmp_path / "a", b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_writing_changes_nothing_for_other_threads(tmp_path, monkeypatch):
    """Two threads that set the umask to read it could leave 0 for the rest of the process."""
    monkeypatch.setattr("os.umask", lambda mask: pytest.fail("set"))
    write_bytes(tmp_path / "a", b"")
    monkeypatch.setattr("fullconv.io.atomic._STATUS", tmp_path / "a")  # which does not state it
    write_bytes(tmp_path / "b", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_full_disk_is_an_output_error(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(OutputError, match="the disk is full"), replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_file_in_place_of_a_folder_is_an_output_error(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OutputError, match="could not be written"):
        write_bytes(tmp_path / "a" / "b", b"x")


def test_temporary_files_of_one_path_are_removed(tmp_path):
    for name in (".a[1].tif.0badcafe.tmp", ".a1.tif.0badcafe.tmp", "a[1].tif"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path / "a[1].tif")
    assert sorted(os.listdir(tmp_path)) == [".a1.tif.0badcafe.tmp", "a[1].tif"]


def test_devices_and_pipes_are_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        # Nothing is ever written to these names of /dev: the refusal comes before.
        for path in (tmp_path / "pipe", tmp_path / "socket"):
            kind = path.lstat().st_mode
            assert is_special(path)
            with pytest.raises(OutputError, match="is a device or a pipe"):
                write_bytes(path, b"x")
            assert path.lstat().st_mode == kind
    assert all(
        is_special(Path(name)) for name in ("/dev/null", "/dev/stdout", "/dev/fd/1", "/dev/x")
    )
    assert not is_special(tmp_path / "new") and not is_special(tmp_path)
