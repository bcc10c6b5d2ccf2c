"""The start of a run: its folder has its settings at once, and signals are obeyed."""

import os
import shutil
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from children import code_of, die_at_call, fork, leftovers, print_result, result_of
from fullconv.cli._signals import EXIT_CODES, collect_signals, exit_on_signal
from fullconv.errors import OutputError
from fullconv.io.atomic import write_bytes
from fullconv.io.visible import RESULTS
from fullconv.training.run.folder import create_run, find_newest

CALLS = ("mkdir", "open", "fsync", "close", "chmod", "replace", "symlink", "unlink", "rmdir")
SETTINGS = {"data": "scenes:10@24x32", "model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 8}


def test_a_kill_at_any_call_leaves_no_unusable_folder(tmp_path):
    found = result_of(__file__, tmp_path, "created")
    assert found["points"] >= 30 and found["unexpected"] == []


@pytest.mark.slow
@pytest.mark.parametrize("explicit", [False, True])
def test_a_resumed_run_removes_all_that_a_kill_at_any_call_left(tmp_path, explicit):
    """Whether the newest unfinished run is resumed or one that is named."""
    found = result_of(__file__, tmp_path, "resumed", *["explicit"] * explicit)
    assert found["points"] >= 60 and found["unexpected"] == []
    folders = ("", "photos-001", "photos-001/splits", "photos-001/samples")
    assert set(found["orphans"]) == set(folders)


def test_an_empty_folder_is_reused_and_others_are_not(tmp_path):
    (tmp_path / "train" / "street-001").mkdir(parents=True)
    (tmp_path / "train" / "street-002").mkdir()
    (tmp_path / "train" / "street-002" / "notes").touch()
    names = [create_run(tmp_path, "train", "street", {"data": "d"}).folder.name for _ in range(2)]
    assert names == ["street-001", "street-003"]
    assert create_run(tmp_path, "train", "street").folder.name == "street-004"


def test_concurrent_runs_get_separate_folders(tmp_path):
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


def test_an_unfinished_run_is_found_by_its_name(tmp_path):
    street = create_run(tmp_path, "train", "street", {"data": "d"})
    other = create_run(tmp_path, "train", "street-2", {"data": "d"})
    os.utime(other.config, (2e9, 2e9))
    assert find_newest(tmp_path) == other
    assert find_newest(tmp_path, name="street") == street
    assert find_newest(tmp_path, name="unknown") is None


def test_a_full_disk_is_reported_before_the_training(tmp_path, monkeypatch):
    def full(path, content):
        raise OutputError(f"{path} could not be written: the disk is full")

    monkeypatch.setattr("fullconv.training.run.folder.write_text", full)
    with pytest.raises(OutputError, match=r"config\.yaml could not be written: the disk is full"):
        create_run(tmp_path, "train", "street", {"data": "d"})


@pytest.mark.parametrize(("number", "code"), EXIT_CODES.items())
def test_a_signal_before_the_training_exits_at_once(number, code, tmp_path):
    before = signal.getsignal(number)
    output = tmp_path / "output"
    assert code_of(fork(partial(interrupted, number), output)) == code
    assert output.read_text() == "beginning"  # output is flushed before the exit
    with exit_on_signal():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def interrupted(number):
    """Send a signal while code runs that aborts on any exception."""
    with exit_on_signal():
        sys.stdout.write("beginning")
        try:
            signal.raise_signal(number)
        except BaseException:
            os.abort()
    return 0


def test_signals_are_collected_during_the_training():
    with exit_on_signal():
        leave = signal.getsignal(signal.SIGTERM)
        with collect_signals() as received:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGTERM) is leave
    assert received == [signal.SIGTERM, signal.SIGUSR1]


def created(folder):
    """Kill at every call of creating a run, and create another one afterwards."""
    number, unexpected = 0, []
    while code_of(fork(partial(killed_at, folder, number))) == -signal.SIGKILL:
        run = create_run(folder, "train", "street", {"data": "d"})
        seen = sorted(path.name for path in run.folder.parent.iterdir())
        for path in run.folder.parent.glob("street-*"):
            if sorted(child.name for child in path.iterdir()) != [RESULTS, "config.yaml"]:
                unexpected.append([number, path.name])
        if len(seen) > 3:  # one complete before the kill, one new, and `latest`
            unexpected.append([number, seen])
        shutil.rmtree(folder)
        folder.mkdir()
        number += 1
    return {"points": number, "unexpected": unexpected}


def killed_at(folder, number):
    die_at_call(number, CALLS)
    create_run(folder, "train", "street", {"data": "d"})
    os._exit(0)


def resumed(folder, explicit=""):
    """Kill at every call of a start and of writes into subfolders; start again with --resume."""
    from fullconv.config import RunConfig
    from fullconv.training.experiment import Experiment

    experiment = Experiment(RunConfig(**SETTINGS))
    start = partial(begin, folder, experiment)
    number, unexpected, orphans = 0, [], set()
    while code_of(fork(partial(start, "auto", number))) == -signal.SIGKILL:
        left = [path.relative_to(folder / "train") for path in leftovers(folder / "train")]
        orphans |= {str(path.parent).strip(".") for path in left}
        run = find_newest(folder)
        resume = str(run.folder) if explicit and run else "auto"
        code = code_of(fork(partial(start, resume), folder / "output"))
        found = [str(path) for path in leftovers(folder / "train")]
        link = folder / "train" / "latest"
        if code or found or not link.is_symlink() or link.resolve().name != "photos-001":
            unexpected.append([number, code, found])
        shutil.rmtree(folder)
        folder.mkdir()
        number += 1
    return {"points": number, "unexpected": unexpected, "orphans": sorted(orphans)}


def begin(folder, experiment, resume, number=None):
    from fullconv.cli import train
    from fullconv.training.distributed import SINGLE_PROCESS

    if number is not None:
        die_at_call(number, CALLS)
    run = train._find_run(resume, folder, None, SINGLE_PROCESS, "scenes:10@24x32")
    run = run or train._create_run(folder, "photos", experiment.config, SINGLE_PROCESS)
    experiment.attach(run)
    for name in ("a.png", "b.png"):
        write_bytes(run.folder / "samples" / name, b"as the report writes pictures")
    os._exit(0)


if __name__ == "__main__":
    print_result(globals()[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:]))
