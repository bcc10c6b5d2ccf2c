"""What is printed only displays characters; JSON is alone on standard output."""

import io
import json
import os
import subprocess
import sys

import pytest

from fullconv.cli import _console, run
from fullconv.cli._errors import describe_error
from fullconv.errors import ConfigError, DataError, printable
from fullconv.model import load
from photos import write_model, write_photos

# Colours, titles, clicks, cursor, bells, C1 codes, bidirectional overrides, invisible text.
HOSTILE = [
    *("\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\click", "\x9b31m", "a\rb", "a\bb"),
    *("a\nerror: fake", "\u202egnp.exe", "\u2066x\u2069", "a\u2028b", "\u200bx", "\udce9", "\x7f"),
    *("\U000e0041", "\ufeff", "\x00"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_printed_moves_the_cursor(text, capsys):
    _console.say(text)
    _console.say_lines(_console.format_table(["class"], [[text], ["road"]]))
    _console.say_error(str(DataError(text, where=text)))
    _console.say_error(f"fullconv: {ConfigError(text)}")
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 4
    for printed in (shown.out, shown.err):
        plain = printed.replace("\n", "")
        assert plain == printable(plain) and plain.isprintable()


@pytest.mark.parametrize("text", ["Straße 東京 ירושלים", "👨‍👩‍👧", "नी", "[red]x[/red]", ":smile:"])
def test_names_in_any_language_are_printed_as_they_are(text, capsys):
    _console.say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_progress_bars_are_cleaned_and_interpret_no_markup(monkeypatch):
    stream = io.StringIO()
    console = _console._Console(file=stream, force_terminal=True, width=120)
    monkeypatch.setattr(_console, "console", console)
    with _console.progress_bar() as bar:
        task = bar.add_task("\x1b]0;title\x07[/nothing] [red]", total=1)
        bar.update(task, description="\x1b[5mb[/b]", refresh=True)
    assert r"\x1b[5mb[/b]" in stream.getvalue() and "\x1b]0" not in stream.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_model(tmp_path / "m.safetensors")
    write_photos(tmp_path / "photos", 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_class_names_and_file_names_are_cleaned_in_every_command(folder, capsys):
    model = load("m.safetensors")
    model.classes = ("\x1b[31msky", "\u202eroad", "=car", "a\nb")
    model.save("h.safetensors")
    os.rename("photos/photo-000.png", "photos/\x1b[32m\n\udce9.png")
    (folder / "photos/\x1b[33m.png").write_bytes(b"no picture")
    for arguments in (
        ["inspect", "h.safetensors"],
        ["predict", "h.safetensors", "photos", "--out", "o\x1b[1m"],
        ["evaluate", "h.safetensors", "photos"],
        ["predict", "m.safetensors", "missing\x1b[2m.png"],
    ):
        assert run(arguments) in (0, 2)
        shown = capsys.readouterr()
        assert (shown.out + shown.err).replace("\n", "").isprintable(), arguments
    text = (folder / "o\x1b[1m/areas.csv").read_text(encoding="utf-8")
    assert "'=car" in text and "\\udce9" in text


def test_only_json_is_on_standard_output(folder, capsys):
    for arguments in (
        ["predict", "m.safetensors", "photos", "--out", "o"],
        ["merge", "o"],
        ["inspect", "m.safetensors"],
    ):
        for more in ([], ["--quiet"] if arguments[0] == "predict" else []):
            assert run([*arguments, *more, "--json", "-"]) == 0
            assert json.loads(capsys.readouterr().out)
    assert run(["predict", "m.safetensors", "photos", "--out", "o"]) == 0
    assert "already in o" in capsys.readouterr().out, "the next command prints as usual"


def test_errors_with_json_leave_standard_output_empty(folder, capsys):
    assert run(["predict", "m.safetensors", "missing.png", "--json", "-"]) == 2
    shown = capsys.readouterr()
    assert not shown.out and "missing.png" in shown.err


def fullconv(command, folder):
    program = f"{sys.executable} -m fullconv {command}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}"], cwd=folder, capture_output=True, text=True
    )


def test_a_reader_that_leaves_does_not_stop_the_work(folder):
    done = fullconv("predict m.safetensors photos --out o | true", folder)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert len((folder / "o/manifest.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("options", ["--json -", ""])
def test_a_full_disk_behind_standard_output_is_one_sentence(folder, options):
    done = fullconv(f"inspect fcn8s-vgg11 {options} > /dev/full", folder)
    assert done.returncode == 74 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "full" in done.stderr or "space" in done.stderr


def os_error(number):
    return OSError(number, os.strerror(number), "runs/a.png")


@pytest.mark.parametrize("number", [1, 2, 6, 13, 17, 20, 21, 24, 28, 30, 36, 40])
def test_errors_of_files_are_sentences_with_a_remedy(number):
    message, code = describe_error(os_error(number))
    assert message.startswith("runs/a.png: ") and "; " in message and len(message) < 120
    assert code == (74 if number in (28, 30) else 2)


def test_memory_is_a_sentence_and_a_bug_is_reported():
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: 3")):
        assert describe_error(error)[1] == 2 and "not enough memory" in describe_error(error)[0]
    message, code = describe_error(ZeroDivisionError("x"))
    assert code == 1 and "please report it" in message and "ZeroDivisionError: x" in message


@pytest.mark.parametrize("width", [40, 80, 120])
def test_metrics_are_broken_between_fields_only(monkeypatch, width):
    fields = ["pixel accuracy 82.4 %", "mean accuracy 50.0 %", "mean IoU 41.2 %"]
    fields.append("frequency-weighted IoU 67.9 %")
    stream = io.StringIO()
    console = _console._Console(file=stream, force_terminal=True, width=width, highlight=False)
    monkeypatch.setattr(_console, "console", console)
    _console.say_fields("  ".join(fields))
    lines = stream.getvalue().splitlines()
    assert [field for line in lines for field in line.split("  ")] == fields
    assert max(map(len, lines)) <= width and len(lines) == {40: 3, 80: 2, 120: 1}[width]


def test_long_names_in_a_table_are_cut_and_numbers_are_not():
    table = _console.format_table(["class", "pixels"], [["a" * 500, "1" * 60], ["road", "2"]])
    assert table.splitlines()[1] == "a" * 45 + "...  " + "1" * 60
    assert all(len(line) <= 48 + 2 + 60 for line in table.splitlines())
