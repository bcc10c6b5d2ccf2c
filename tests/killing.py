"""Kill trainings at random moments and resume them; run as a program by test_experiment.py.

Children are forked from one process that has torch loaded, so that a kill costs no import.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from fullconv import experiment
from fullconv.commands import run


def start(out, workers):
    """Fork a child that trains, or goes on training, in OUT."""
    child = os.fork()
    if child:
        return child
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    experiment.SAVE_SECONDS = 0.05  # checkpoints in the middle of epochs too
    arguments = ["train", "scenes:14@24x32", "--model", "fcn8s-vgg11_bn", "--width", "0.0625"]
    arguments += ["--hidden", "16", "--epochs", "4", "--batch", "3", "--out", str(out)]
    arguments += ["--name", "killed", "--workers", str(workers), "--resume"]
    os._exit(run(arguments))


def finished(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def uninterrupted(out, workers):
    began = time.monotonic()
    assert finished(start(out, workers)) == 0
    return time.monotonic() - began


def killed(out, workers, kills, within, draw):
    """Train in OUT with `kills` kills, each `within` seconds at most after a start."""
    done = 0
    while done < kills:
        child = start(out, workers)
        time.sleep(draw.uniform(0.02, within))
        os.kill(child, signal.SIGKILL)
        if finished(child) == 0:  # it was faster: its folder is finished, so begin another
            return done
        done += 1
    assert finished(start(out, workers)) == 0
    return done


def files(out):
    """Content of the finished run under OUT, as far as it must not depend on kills.

    A kill before the settings are written leaves an empty folder, which nothing goes on from.
    """
    names = ("best.safetensors", "last.safetensors", "config.yaml")
    folder = min((out / "train").glob("killed-*/summary.json")).parent
    found = {name: (folder / name).read_bytes() for name in names}
    return found | {"results.csv": rows(folder), "orphans": list(folder.glob(".*"))}


def rows(folder):
    """results.csv without its column of seconds."""
    lines = (folder / "results.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


def main(folder, kills, workers):
    torch.set_num_threads(1)
    draw = random.Random(kills)
    seconds = uninterrupted(folder / "whole", workers)
    whole = files(folder / "whole")
    survived, tried, number = 0, 0, 0
    different = []
    while tried < kills:
        out = folder / f"run{number}"
        happened = killed(out, workers, min(4, kills - tried), 0.6 * seconds, draw)
        found = files(out)
        different += [name for name in whole if found[name] != whole[name]]
        survived += happened if found == whole else 0
        tried += happened
        number += 1
    print(json.dumps({"kills": tried, "survived": survived, "different": different}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
