"""Commands in messages can be pasted into a shell."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import fullconv
from fullconv.io.commands import pasted

COMMAND = re.compile(r"fullconv [a-z-]+( --[a-z-]+| [A-Z_]+)* \{")  # and the value of a variable


@pytest.mark.skipif(os.name == "nt", reason="the shell of Windows quotes in another way")
@pytest.mark.parametrize(
    "name", ["photos", "my photos", "it's", "a;b&c", "siftflow:x?head=a,b", ""]
)
def test_a_shell_reads_the_words_back(name):
    text = pasted("printf", "%s\n", Path("runs") / "train" / name, name)
    assert shlex.split(text)[2:] == [str(Path("runs") / "train" / name), name]
    read = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    assert read.stdout.split("\n")[:2] == [str(Path("runs") / "train" / name), name]


def test_plain_words_are_not_quoted():
    assert pasted("fullconv", "train", Path("photos-1"), "--minutes", 10) == (
        f"fullconv train {Path('photos-1')} --minutes 10"
    )


def test_no_message_puts_a_path_into_a_command_by_itself():
    source = Path(fullconv.__file__).parent
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(source.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if COMMAND.search(line)
    ]
    assert not found
