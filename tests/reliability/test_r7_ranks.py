"""Several processes: they stop together at any moment, and resume to the same bytes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from children import (
    PATIENCE,
    TRAIN,
    code_of,
    files,
    fork,
    free_port,
    print_result,
    result_of,
    rows,
    train,
)

TIMES = 5
MORE = ("--set", "preflight=false", "--device", "cpu", "--epochs", 6)
STOPPED = re.compile(r"Stopped after step (\d+)")


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_stops_of_several_processes_do_not_change_the_result(tmp_path, size):
    found = result_of(__file__, tmp_path, size)
    assert found == {"codes": [[143] * size] * TIMES}


@pytest.mark.slow
def test_a_stage_starts_from_the_best_model_of_the_one_before(tmp_path):
    """The other processes wait for the main one, which writes the model."""
    assert result_of(__file__, tmp_path, "stages") == {"codes": [0, 0], "stages": 3}


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_and_the_run_resumes(tmp_path):
    out = tmp_path / "stopped"
    whole, output = launched(tmp_path / "whole")
    assert whole.wait(PATIENCE * 2) == 0, output.read_text()
    job, output = launched(out, "--seed", 0)
    first, second = members(job, out)
    os.kill(second, signal.SIGTERM)
    assert job.wait(PATIENCE) != 0
    assert STOPPED.search(output.read_text()) and not alive(first) and not alive(second)
    job, output = launched(out)
    assert job.wait(PATIENCE * 2) == 0, output.read_text()
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.slow
def test_torchrun_ends_all_when_one_is_killed(tmp_path):
    out = tmp_path / "killed"
    job, _ = launched(out, "--epochs", 500)
    first, second = members(job, out)
    os.kill(second, signal.SIGKILL)
    assert job.wait(PATIENCE) != 0
    assert not alive(first) and not alive(second)
    (run,) = (out / "train").glob("run-*")
    assert (run / "last.safetensors").is_file() and not (run / "summary.json").exists()


@pytest.mark.slow
def test_two_machines_connect(tmp_path):
    port = free_port()
    jobs = [
        launched(tmp_path / "out", agent=("--nnodes", 2, "--node-rank", node), port=port)
        for node in range(2)
    ]
    for job, output in jobs:
        assert job.wait(PATIENCE * 2) == 0, output.read_text()
    (run,) = (tmp_path / "out" / "train").glob("run-*")
    assert (run / "summary.json").is_file() and len(rows(run / "results.csv")) == 7


def launched(out, *more, agent=("--standalone", "--nproc-per-node", 2), port=0):
    """Start torchrun; return its process and the file of its output."""
    out.mkdir(exist_ok=True)
    where = ("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}") if port else ()
    command = [sys.executable, "-m", "torch.distributed.run", *agent, *where, "-m", "fullconv"]
    command += [*TRAIN, *MORE, *more, "--out", out]
    output = out / f"output-{time.monotonic_ns()}"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with output.open("w") as file:
        job = subprocess.Popen(
            list(map(str, command)), stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    return job, output


def members(job, out):
    """Wait for a checkpoint; return the ids of the training processes."""
    deadline = time.monotonic() + PATIENCE * 2
    while not list(out.glob("train/run-*/last.safetensors")):
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.02)
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(job.pid)], capture_output=True)
    return [int(pid) for pid in found.stdout.split()]


def alive(process):
    """Return whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def start_group(out, size, *more):
    """Fork the processes with the environment variables that torchrun would set."""
    port = free_port()

    def member(rank):
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return train(out, *MORE, *more, begin=save_often)

    output = out.with_name(f"{out.name}-output-{port}")
    return [fork(lambda rank=rank: member(rank), f"{output}-{rank}") for rank in range(size)]


def save_often():
    from fullconv.training import experiment

    experiment.SAVE_SECONDS = 0.0


def finished(out):
    return bool(list(out.glob("train/run-*/summary.json")))


def stops(folder, size):
    draw = random.Random(size)
    began = time.monotonic()
    assert [code_of(child) for child in start_group(folder / "whole", size)] == [0] * size
    whole, seconds = files(folder / "whole"), time.monotonic() - began
    codes, number = [], 0
    while len(codes) < TIMES:
        out = folder / str(number)
        number += 1
        children = start_group(out, size)
        while not list(out.glob("train/run-*/last.safetensors")):
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.25 * seconds))
        os.kill(children[draw.randrange(size)], signal.SIGTERM)
        found = [code_of(child) for child in children]
        if found[0] == 0 or finished(out):
            continue  # it was faster
        if 0 not in found:  # else the signal came after the last step
            codes.append(found)
        assert [code_of(child) for child in start_group(out, size)] == [0] * size
        assert files(out) == whole
    return {"codes": codes}


def stages(folder):
    more = ("--recipe", "paper-staged", "--model", "fcn8s-vgg11", "--padding", "same")
    children = start_group(folder / "out", 2, *more, "--epochs", 1)
    codes = [code_of(child) for child in children]
    return {"codes": codes, "stages": len(list((folder / "out").rglob("summary.json")))}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    asked = sys.argv[2]
    folder = Path(sys.argv[1])
    print_result(stages(folder) if asked == "stages" else stops(folder, int(asked)))
