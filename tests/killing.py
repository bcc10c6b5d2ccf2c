"""Kill trainings at random moments and resume them; run as a program by test_experiment.py.

Children are forked from one process that has torch loaded, so that a kill costs no import.

    killing.py FOLDER KILLS WORKERS [OPTION...]

WORKERS is a number, or several with commas, which the starts of a run use in turn.
"""

import json
import os
import random
import signal
import sys
import time
from itertools import cycle
from pathlib import Path

import torch

from children import leftovers, rows, stable_bytes
from fullconv.cli import run
from fullconv.training import experiment


def start(out, workers, options):
    """Fork a child that starts or resumes a training in OUT."""
    child = os.fork()
    if child:
        return child
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    experiment.SAVE_SECONDS = 0.05  # checkpoints in the middle of epochs too
    arguments = ["train", "scenes:14@24x32", "--model", "fcn8s-vgg11_bn", "--width", "0.0625"]
    arguments += ["--hidden", "16", "--epochs", "4", "--batch", "3", "--out", str(out)]
    arguments += ["--name", "killed", "--workers", workers, *options, "--resume"]
    os._exit(run(arguments))


def finished(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def uninterrupted(out, workers, options):
    began = time.monotonic()
    assert finished(start(out, workers, options)) == 0
    return time.monotonic() - began


def killed(out, workers, options, kills, within, draw):
    """Train in OUT with `kills` kills, each at most `within` seconds after a start."""
    done = 0
    turns = cycle(workers)
    while done < kills:
        child = start(out, next(turns), options)
        time.sleep(draw.uniform(0.02, within))
        os.kill(child, signal.SIGKILL)
        if finished(child) == 0:  # it was faster: its folder is finished, so begin another
            return done
        done += 1
    assert finished(start(out, next(turns), options)) == 0
    return done


def files(out):
    """Return the content of the run under OUT, with stages, that must not depend on kills."""
    (folder,) = (out / "train").glob("killed-*")
    paths = [*folder.rglob("*.safetensors"), *folder.rglob("config.yaml")]
    found = {str(path.relative_to(folder)): stable_bytes(path) for path in paths}
    tables = folder.rglob("results.csv")
    found |= {str(path.relative_to(folder)): rows(path) for path in tables}
    orphans = [path.name for path in leftovers(out / "train")]
    return found | {"orphans": orphans, "finished": (folder / "summary.json").is_file()}


def main(folder, kills, workers, options):
    torch.set_num_threads(1)
    draw = random.Random(kills)
    seconds = uninterrupted(folder / "whole", workers[0], options)
    whole = files(folder / "whole")
    survived, tried, number = 0, 0, 0
    different = []
    while tried < kills:
        out = folder / f"run{number}"
        happened = killed(out, workers, options, min(4, kills - tried), 0.6 * seconds, draw)
        found = files(out)
        different += [name for name in whole if found.get(name) != whole[name]]
        survived += happened if found == whole else 0
        tried += happened
        number += 1
    print(json.dumps({"kills": tried, "survived": survived, "different": different}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4:])
