"""Temporary files of killed processes are removed; those of running processes are kept."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fullconv.io import temporaries
from fullconv.io.atomic import building, replacing, scratch, staging, write_bytes
from fullconv.io.temporaries import (
    FOREIGN_SECONDS,
    sweep,
    sweep_tree,
    target_name,
    temporary_path,
)

WRITES = """
import os, sys
from pathlib import Path
from fullconv.io.atomic import building, replacing, staging
folder = Path(sys.argv[1])
with replacing(folder / "a.png") as file, building(folder / "set") as tree:
    with staging(folder / "model.onnx") as work:
        file.write_bytes(b"half")
        (tree / "images").mkdir()
        (tree / "images" / "one.png").write_bytes(b"x")
        (work / "graph").write_bytes(b"x")
        print("written", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def writing(tmp_path):
    """Start a process that is writing a file and two folders."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


def hidden(folder):
    return [path.name for path in Path(folder).rglob(".*")]


def test_files_of_a_running_process_are_kept(writing, tmp_path):
    before = hidden(tmp_path)
    assert len(before) == 3
    sweep(tmp_path)
    sweep_tree(tmp_path)
    assert hidden(tmp_path) == before
    writing.communicate("")
    assert hidden(tmp_path) == []


def test_files_of_a_killed_process_are_removed_even_if_it_is_a_zombie(writing, tmp_path):
    os.kill(writing.pid, signal.SIGKILL)
    os.waitid(os.P_PID, writing.pid, os.WEXITED | os.WNOWAIT)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [replacing, building, staging])
def test_the_next_write_to_a_folder_removes_stale_files(write, writing, tmp_path):
    writing.kill()
    writing.communicate()
    with write(tmp_path / "next") as temporary:
        assert hidden(tmp_path) in ([], [temporary.name])
        if write is replacing:
            temporary.touch()


def orphan(path, **changes):
    """Create a temporary file of a process that has ended."""
    child = subprocess.run([sys.executable, "-c", ""], check=True)
    assert child.returncode == 0
    found = re.fullmatch(r"(\..+\.)(.{8})(.{6})(.{8})(.{6}\.tmp)", temporary_path(path).name)
    parts = [found[1], found[2], "3fffff", found[4], found[5]]
    for number, text in changes.items():
        parts[int(number[1:])] = text
    return path.parent / "".join(parts)


def test_a_reused_process_id_does_not_own_the_file(tmp_path):
    path = orphan(tmp_path / "a", _2=f"{os.getpid():06x}", _3="00000001")
    path.touch()
    sweep(tmp_path)
    assert not path.exists()


def test_files_of_another_machine_are_kept_for_a_day(tmp_path):
    file = orphan(tmp_path / "a", _1="0badcafe")
    folder = orphan(tmp_path / "b", _1="0badcafe")
    file.touch()
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "one").touch()
    long_ago = time.time() - FOREIGN_SECONDS - 60
    for path in (file, folder, folder / "images"):
        os.utime(path, (long_ago, long_ago))
    sweep(tmp_path)
    assert not file.exists() and folder.exists()  # a file in the folder is new
    os.utime(folder / "images" / "one", (long_ago, long_ago))
    sweep(tmp_path)
    assert not folder.exists()


def test_other_file_names_are_never_removed(tmp_path):
    names = [
        *(".a.tmp", ".tmp123456", ".a.0badcafe.tmp", "a.tmp", ".hidden", "~lock.tmp"),
        orphan(tmp_path / "a").name[1:],
        orphan(tmp_path / "a").name + ".bak",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    sweep(tmp_path)
    sweep_tree(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(names)


def test_links_are_not_followed(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    kept = orphan(outside / "a")
    kept.touch()
    (folder / "link").symlink_to(outside, target_is_directory=True)
    orphan(folder / "b").symlink_to(outside, target_is_directory=True)
    sweep_tree(folder)
    sweep_tree(folder, locked=True)
    assert kept.exists() and os.listdir(folder) == ["link"]


def test_under_a_lock_files_of_other_machines_are_removed_too_but_not_own_ones(tmp_path):
    other = orphan(tmp_path / "splits" / "train.txt", _1="0badcafe")
    own = temporary_path(tmp_path / "splits" / "train.txt")
    other.parent.mkdir()
    other.touch()
    own.touch()
    sweep_tree(tmp_path)
    assert other.exists()
    sweep_tree(tmp_path, locked=True)
    assert os.listdir(tmp_path / "splits") == [own.name]


@pytest.mark.parametrize("name", ["a.png", "a.b c\n.tmp", "é" * 127, "x" * 255])
def test_files_with_any_valid_name_can_be_written(name, tmp_path):
    write_bytes(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]
    target = target_name(temporary_path(tmp_path / name).name)
    assert name.startswith(target) and (len(name) > 100 or target == name)


def test_without_proc_the_process_id_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(temporaries.os.path, "isdir", lambda path: False)
    monkeypatch.setattr(temporaries, "_own_token", temporaries._own_token.__wrapped__)
    own, dead = temporary_path(tmp_path / "a"), orphan(tmp_path / "b")
    for path in (own, dead):
        path.touch()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [own.name]


def test_a_scratch_folder_is_private_and_removed_afterwards():
    with scratch() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
