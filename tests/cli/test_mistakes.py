"""Ordinary mistakes end in one clear sentence and an exit code; nothing hangs or is replaced."""

import os
import socket
import stat

import pytest

from fullconv.cli import run
from photos import content, write_model, write_photos

NAMES = ["missing", "empty", "folder", "text", "pipe", "socket", "broken", "loop", "text/below"]
OTHERS = ["a" * 300, "", "\udce9.png", "\x1b[31m", "x.png/", "new/*.png", "@missing", "@folder"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a working folder with everything that can be given by mistake."""
    write_model(tmp_path / "m.safetensors")
    write_photos(tmp_path / "photos", 1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello")
    os.mkfifo("pipe")
    os.symlink("nowhere", "broken")
    os.symlink("loop", "loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        yield tmp_path


def refusal(arguments, capsys):
    """Run a command that is a mistake; return what it says."""
    code = run(arguments)
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert code in (2, 74), (code, text)
    assert "Traceback" not in text and "unexpected error" not in text
    assert text.replace("\n", "").isprintable()
    return text


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_a_wrong_model_or_input_is_named(folder, capsys, name):
    before = content(folder)
    assert name[:20].strip("@\x1b\udce9/") in refusal(["predict", name, "photos"], capsys)
    refusal(["inspect", name], capsys)
    assert content(folder) == before
    text = refusal(["predict", "m.safetensors", name, "--out", "o"], capsys)
    assert ("failed" in text) == (name in ("empty", "text", "pipe", "socket", "broken", "loop"))
    assert {n: b for n, b in content(folder).items() if not n.startswith("o/")} == before


@pytest.mark.parametrize("name", ["empty", "text", "pipe", "socket"])
def test_a_file_in_the_place_of_a_folder_is_kept(folder, capsys, name):
    kind = stat.S_IFMT(os.lstat(name).st_mode)
    for arguments in (
        ["predict", "m.safetensors", "photos", "--out", name],
        ["merge", name],
        ["merge", "folder", "--out", name],
    ):
        assert name in refusal(arguments, capsys)
        assert stat.S_IFMT(os.lstat(name).st_mode) == kind


@pytest.mark.parametrize("name", ["folder", "pipe", "socket"])
def test_an_output_that_is_no_file_is_kept(folder, capsys, name):
    if name == "socket":
        assert name in refusal(["inspect", "m.safetensors", "--json", name], capsys)
    if name == "folder":
        assert "--json folder is a folder" in refusal(
            ["inspect", "m.safetensors", "--json", name], capsys
        )
    text = refusal(
        ["explain", "resnet18", "photos/photo-000.png", "--classes", "3", "--out", name], capsys
    )
    assert name in text and not os.path.isfile(name)


NUMBERS = ["-1", "nan", "inf", "x", "", "1e99", "9" * 30, "1.5"]


@pytest.mark.parametrize("option", ["--threads", "--memory", "--shard", "--bands", "--device"])
@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_that_make_no_sense_are_refused(folder, capsys, option, value):
    if (option, value) in (("--memory", "1.5"), ("--memory", "9" * 30), ("--bands", "9" * 30)):
        pytest.skip("a size of memory, and a band of a raster")
    before = content(folder)
    refusal(["predict", "m.safetensors", "photos", "--out", "o", option, value], capsys)
    assert content(folder) == before


def test_empty_lists_and_lists_that_name_each_other_are_named(folder, capsys):
    (folder / "a.txt").write_text("@b.txt\n")
    (folder / "b.txt").write_text("@a.txt\n")
    assert "the list names itself" in refusal(["predict", "m.safetensors", "@a.txt"], capsys)
    assert "the lists are empty" in refusal(["predict", "m.safetensors", "@empty"], capsys)
