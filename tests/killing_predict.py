"""Kill prediction jobs at random moments and resume them; run as a program by batch/test_run.py.

Children are forked from a process that has loaded torch, so a restart needs no import.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import fullconv.batch.run
from fullconv.batch.executors.local import AHEAD
from fullconv.batch.worker import Worker
from fullconv.cli import run
from fullconv.hardware import usable_cores
from fullconv.model import load
from photos import content, write_model, write_photos

PHOTOS = 200


def start(folder, out):
    """Fork a child that starts or resumes the job; it logs each photo that it reads."""
    child = os.fork()
    if child:
        return child
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    log = os.open(folder / f"{out}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    read = Worker.read

    def read_and_log(self, item, opened):
        os.write(log, f"{item.name}\n".encode())
        return read(self, item, opened)

    Worker.read = read_and_log
    arguments = ["predict", str(folder / "model.safetensors"), str(folder / "photos")]
    kinds = "labels,overlay,coco,contact"
    options = ["--out", str(folder / out), "--save", kinds, "--threads", "1", "--quiet"]
    os._exit(run([*arguments, *options]))


def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def finished_files(folder):
    """Return the finished files, without temporary ones."""
    return {name: data for name, data in content(folder).items() if "/." not in name}


def main(folder, kills):
    torch.set_num_threads(1)
    draw = random.Random(kills)
    write_model(folder / "model.safetensors")
    write_photos(folder / "photos", PHOTOS)
    assert fullconv.batch.run and load(folder / "model.safetensors")  # imported before forking
    start_time = time.monotonic()
    assert wait(start(folder, "complete")) == 0
    seconds = time.monotonic() - start_time
    expected = content(folder / "complete")
    partial, kill_count, rounds, again, different = [], 0, 0, 0, []
    while kill_count < kills:
        out = f"killed-{rounds}"
        for _ in range(5):
            child = start(folder, out)
            time.sleep(draw.uniform(0.02, 0.4 * seconds))
            os.kill(child, signal.SIGKILL)
            if wait(child) == 0:
                break
            kill_count += 1
            files = finished_files(folder / out).items()
            partial += [n for n, data in files if "/" in n and data != expected[n]]
        assert wait(start(folder, out)) == 0
        found = content(folder / out)
        different += [n for n in {*expected, *found} if expected.get(n) != found.get(n)]
        again += len((folder / f"{out}.log").read_text().splitlines()) - PHOTOS
        rounds += 1
    flight = usable_cores() + AHEAD
    report = {"kills": kill_count, "again": again, "in_flight": flight, "rounds": rounds}
    report |= {"different": different, "partial": partial, "seconds": seconds}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
