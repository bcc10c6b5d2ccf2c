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


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "scenes:4@48x64", "--config", "pipe"],
        ["train", "scenes:4@48x64", "--weights", "pipe"],
        ["predict", "m.safetensors", "@pipe", "--out", "o"],
        ["convert", "m.safetensors", "o.safetensors", "--classes", "pipe"],
        ["convert", "pipe", "o.safetensors"],
        ["inspect", "m.safetensors", "--json", "pipe"],
    ],
)
def test_a_pipe_that_nobody_uses_is_refused_and_not_waited_for(folder, capsys, arguments):
    assert "pipe" in refusal(arguments, capsys)
    assert stat.S_ISFIFO(os.lstat("pipe").st_mode) and not os.path.exists("o")


@pytest.mark.parametrize("name", ["missing.onnx", "missing.safetensors", "runs/missing"])
def test_a_missing_model_file_is_not_taken_for_a_network(folder, capsys, name):
    for command in ("inspect", "bench", "predict"):
        text = refusal([command, name, *(["photos"] if command == "predict" else [])], capsys)
        assert f"{name}: there is no such model file" in text


def test_dots_in_the_name_of_a_network_are_no_suffix(folder, capsys):
    assert "unknown" in refusal(["inspect", "fcn8s-unknown.a1_in1k"], capsys)


@pytest.mark.parametrize("value", ["-1", "0", "nan"])
def test_a_time_limit_that_leaves_no_time_is_refused(folder, capsys, value):
    text = refusal(["train", "scenes:4@48x64", "--max-seconds", value], capsys)
    assert "--max-seconds" in text and not os.path.exists("runs")


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
