"""The SLURM script in docs/deploy.md, run with stand-ins for SLURM's commands."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from children import PATIENCE, TRAIN, free_port, rows

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"

SRUN = """#!/bin/bash
# Like srun: start the requested number of tasks and return the highest exit code.
for rank in $(seq 0 $((SLURM_NTASKS - 1))); do
  SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" & echo $! >> "$TASKS"; pids="$pids $!"
done
highest=0
for pid in $pids; do wait $pid; code=$?; [ $code -gt $highest ] && highest=$code; done
exit $highest
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then echo 127.0.0.1; else echo "$@" >> "$ASKED"; fi
"""


@pytest.mark.slow
def test_a_job_at_its_time_limit_is_requeued_and_resumes(tmp_path):
    job = started(tmp_path)
    deadline = time.monotonic() + 2 * PATIENCE
    while not list(tmp_path.glob("runs/train/street-*/last.safetensors")):
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.05)
    for pid in (tmp_path / "tasks").read_text().split():
        os.kill(int(pid), signal.SIGUSR1)
    assert job.wait(PATIENCE) == 75
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    assert started(tmp_path).wait(2 * PATIENCE) == 0
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    (run,) = (tmp_path / "runs" / "train").glob("street-*")
    assert (run / "summary.json").is_file() and len(rows(run / "results.csv")) == 13


def started(folder):
    script = re.search(r"```bash\n(#!(?:(?!```).)*SLURM_PROCID.*?)```", PAGE.read_text(), re.S)[1]
    options = " ".join(TRAIN[1 : TRAIN.index("--name")]) + " --epochs 12 --device cpu"
    script = script.replace("/data/street", options).replace("/data/runs", str(folder / "runs"))
    script = script.replace("29500", str(free_port()))
    fullconv = f'#!/bin/sh\nexec {sys.executable} -m fullconv "$@"\n'
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    for name, text in {"srun": SRUN, "scontrol": SCONTROL, "fullconv": fullconv}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"}
    environment |= {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}
    environment |= {"SLURM_JOB_NODELIST": "here", "TASKS": str(folder / "tasks")}
    environment |= {"ASKED": str(folder / "asked")}
    return subprocess.Popen(["bash", "-c", script], env=environment)
