"""The first moments of a run: a folder is there with its settings, and a signal is obeyed."""

import os
import shutil
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from children import code_of, die_at_call, fork, tell, told_by
from fullconv.cli._signals import EXIT_CODES, collect_signals, exit_on_signal
from fullconv.errors import OutputError
from fullconv.training.run.folder import create_run, find_unfinished

CALLS = ("mkdir", "open", "fsync", "close", "chmod", "replace", "symlink", "unlink")


def test_a_kill_at_any_call_leaves_nothing_that_nobody_takes_up(tmp_path):
    found = told_by(__file__, tmp_path)
    assert found["points"] >= 30 and found["amiss"] == []


def test_a_folder_that_is_empty_is_taken_and_one_that_is_not_stays(tmp_path):
    (tmp_path / "train" / "street-001").mkdir(parents=True)
    (tmp_path / "train" / "street-002").mkdir()
    (tmp_path / "train" / "street-002" / "notes").touch()
    names = [create_run(tmp_path, "train", "street", {"data": "d"}).folder.name for _ in range(2)]
    assert names == ["street-001", "street-003"]
    assert create_run(tmp_path, "train", "street").folder.name == "street-004"


def test_many_at_once_get_a_folder_each(tmp_path):
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(create_run(tmp_path, "train", "a", {"data": "d"}))
        )
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.folder for run in found}) == 12
    assert all(run.read_config() == {"data": "d"} for run in found)


def test_a_run_is_gone_on_with_by_its_name(tmp_path):
    street = create_run(tmp_path, "train", "street", {"data": "d"})
    other = create_run(tmp_path, "train", "street-2", {"data": "d"})
    os.utime(other.config, (2e9, 2e9))
    assert find_unfinished(tmp_path) == other
    assert find_unfinished(tmp_path, name="street") == street
    assert find_unfinished(tmp_path, name="nobody") is None


def test_a_full_disk_is_told_before_anything_begins(tmp_path, monkeypatch):
    def full(path, content):
        raise OutputError(f"{path} could not be written: the disk is full")

    monkeypatch.setattr("fullconv.training.run.folder.write_text", full)
    with pytest.raises(OutputError, match=r"config\.yaml could not be written: the disk is full"):
        create_run(tmp_path, "train", "street", {"data": "d"})


@pytest.mark.parametrize(("number", "code"), EXIT_CODES.items())
def test_before_there_is_anything_to_save_a_signal_means_to_leave(number, code, tmp_path):
    before = signal.getsignal(number)
    said = tmp_path / "said"
    assert code_of(fork(partial(interrupted, number), said)) == code
    assert said.read_text() == "beginning"  # what was said is told, though it was not flushed
    with exit_on_signal():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def interrupted(number):
    """Ask to stop while code is at work that takes an exception for a bug of its own."""
    with exit_on_signal():
        sys.stdout.write("beginning")
        try:
            signal.raise_signal(number)
        except BaseException:
            os.abort()
    return 0


def test_where_there_is_something_to_save_it_is_only_noted():
    with exit_on_signal():
        leave = signal.getsignal(signal.SIGTERM)
        with collect_signals() as received:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGTERM) is leave
    assert received == [signal.SIGTERM, signal.SIGUSR1]


def main(folder):
    number, amiss = 0, []
    while code_of(fork(partial(killed_at, folder, number))) == -signal.SIGKILL:
        run = create_run(folder, "train", "street", {"data": "d"})
        seen = sorted(path.name for path in run.folder.parent.iterdir())
        for path in run.folder.parent.glob("street-*"):
            if [child.name for child in path.iterdir()] != ["config.yaml"]:
                amiss.append([number, path.name])
        if len(seen) > 3:  # one that was whole before the kill, one now, and `latest`
            amiss.append([number, seen])
        shutil.rmtree(folder)
        folder.mkdir()
        number += 1
    tell({"points": number, "amiss": amiss})


def killed_at(folder, number):
    die_at_call(number, CALLS)
    create_run(folder, "train", "street", {"data": "d"})
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
