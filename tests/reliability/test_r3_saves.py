"""A kill at any point of a save leaves the old or the new checkpoint, never a part."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from children import code_of, die_at_call, fork, leftovers, print_result, result_of

BYTES = 40  # points within the file's bytes
CALLS = ("open", "fsync", "close", "chmod", "umask", "replace", "unlink")


@pytest.mark.slow
def test_a_kill_at_every_call_and_byte_of_a_save(tmp_path):
    found = result_of(__file__, tmp_path, "calls")
    assert found["points"] >= 50 and found["before"] and found["after"], found
    assert found["before"] + found["after"] == found["loaded"] == found["points"]
    assert found["orphans"] > 0 and found["left"] == 0


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace, which is not installed here")
def test_a_kill_at_every_system_call_of_a_save(tmp_path):
    found = result_of(__file__, tmp_path, "traced")
    if not found["points"]:
        pytest.skip("strace may not look at other processes here")
    assert found["before"] and found["after"], found
    assert found["before"] + found["after"] == found["loaded"] == found["points"]
    assert found["left"] == 0


class SaveTest:
    """A run with a checkpoint on disk, and one more step in memory that is to be saved."""

    def __init__(self, folder):
        from fullconv.config import RunConfig
        from fullconv.training.experiment import Experiment
        from fullconv.training.run.folder import create_run

        settings = {"model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 16, "batch": 2}
        self.experiment = Experiment(
            RunConfig(data="scenes:10@32x40", epochs=2, ema=0.9, **settings)
        )
        self.experiment.attach(create_run(folder, "train", "run"))
        events = self.experiment.events()
        next(events)
        self.path = self.experiment.run.last
        self.before = self.saved()
        next(events)
        self.after = self.saved()
        self.reset()
        self.resumed = Experiment(self.experiment.config).trainer
        self.counts = dict.fromkeys(("points", "loaded", "before", "after", "orphans", "left"), 0)

    def saved(self):
        self.experiment.save()
        return self.path.read_bytes()

    def reset(self):
        self.path.write_bytes(self.before)

    def check(self):
        """Count whether a kill left a complete checkpoint, of either step, and no other file."""
        content = self.path.read_bytes()
        self.counts["points"] += 1
        self.counts["before"] += content == self.before
        self.counts["after"] += content == self.after
        self.counts["loaded"] += self.resumed.restore(self.path)["step"] in (1, 2)
        folder = self.experiment.run.folder
        self.counts["orphans"] += len(leftovers(folder))
        self.experiment.run.clean()  # what the next start does
        self.counts["left"] += len(leftovers(folder))


def calls(folder):
    """Kill before and after each call to the system, and when the file reaches given sizes."""
    test = SaveTest(folder)
    number = 0
    while code_of(fork(lambda number=number: killed_at_call(test, number))) == -signal.SIGKILL:
        test.check()
        test.reset()
        number += 1
    test.reset()
    size = len(test.after)
    for point in range(BYTES):
        limit = point * size // BYTES
        assert code_of(fork(lambda limit=limit: full(test, limit))) == -signal.SIGXFSZ
        test.check()
    return test.counts


def killed_at_call(test, number):
    die_at_call(number, CALLS)
    test.experiment.save()
    os._exit(0)


def full(test, limit):
    """Save with a file size limit, past which the system kills the process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    test.experiment.save()
    os._exit(0)


def traced(folder):
    """Kill at every system call, with strace."""
    test = SaveTest(folder)
    log = folder / "trace"
    under_strace(test, "-o", log)
    for name in sorted(set(re.findall(r"^(\w+)\(", log.read_text(), re.M)) - {"exit_group"}):
        test.reset()
        for number in count(1):
            inject = f"inject={name}:signal=KILL:when={number}"
            if under_strace(test, "-o", os.devnull, "-e", inject) != -signal.SIGKILL:
                break
            test.check()
            test.reset()
    return test.counts


def under_strace(test, *options):
    reader, writer = os.pipe()
    child = fork(lambda: (os.read(reader, 1) and test.experiment.save()) or 0)
    command = ["strace", "-qq", "-p", str(child), *map(str, options)]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{child}/status")
    while "TracerPid:\t0\n" in status.read_text() and tracer.poll() is None:
        time.sleep(0.01)
    os.write(writer, b"!")
    code = code_of(child)
    tracer.wait()
    os.close(reader)
    os.close(writer)
    return code


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    print_result(globals()[sys.argv[2]](Path(sys.argv[1])))
