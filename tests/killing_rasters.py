"""Kill the labelling of a raster at random moments and resume; run by test_label_kills.py.

Children are forked from one process that has torch loaded, so that a kill costs no import.
"""

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from fullconv.batch.rasters import label as labelling
from fullconv.batch.rasters.label import label_raster
from fullconv.batch.rasters.outputs import RasterOutputs
from fullconv.inference.planner import Plan
from fullconv.model import load
from georeferenced import random_bands, write
from photos import write_model

SIZE = (300, 120)
ROWS = 32  # per part: ten parts


def start(folder, name):
    """Fork a child that labels the raster or resumes it."""
    child = os.fork()
    if child:
        return child
    model = load(folder / "model.safetensors")
    target = RasterOutputs(folder / f"{name}.tif", folder / f"{name}.csv")
    planned = Plan("strips", True, SIZE, 40, 70)
    labelling.plan = lambda network, size, *memory, **more: replace(planned, size=size)
    for _ in label_raster(model, folder / "big.tif", target, rows=ROWS, memory="1GiB"):
        pass
    os._exit(0)


def finished(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder, kills):
    torch.set_num_threads(1)
    draw = random.Random(kills)
    write_model(folder / "model.safetensors", seed=3)
    values = random_bands(3, SIZE)
    values[:, 90:180, :60] = 0
    write(folder / "big.tif", values, nodata=0)
    start_time = time.monotonic()
    assert finished(start(folder, "whole")) == 0
    seconds = time.monotonic() - start_time
    whole = [(folder / f"whole{suffix}").read_bytes() for suffix in (".tif", ".csv")]
    kill_count, rounds, different, partial = 0, 0, [], []
    while kill_count < kills:
        name = f"killed-{rounds}"
        target = folder / f"{name}.tif"
        for _ in range(3):
            child = start(folder, name)
            time.sleep(draw.uniform(0.02, 0.8 * seconds))
            os.kill(child, signal.SIGKILL)
            if finished(child) == 0:
                break
            kill_count += 1
            partial += [name] if target.exists() and target.read_bytes() != whole[0] else []
        assert finished(start(folder, name)) == 0
        found = [(folder / f"{name}{suffix}").read_bytes() for suffix in (".tif", ".csv")]
        different += [name] if found != whole else []
        rounds += 1
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    report = {"kills": kill_count, "different": different, "partial": partial, "hidden": hidden}
    sys.stdout.write(json.dumps(report | {"rounds": rounds, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
