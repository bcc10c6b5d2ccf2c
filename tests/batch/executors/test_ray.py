"""The Ray engine predicts every photo even if a node is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fullconv.batch.executors import executors
from fullconv.errors import MissingExtraError

PROGRAM = Path(__file__).parents[2] / "two_nodes.py"


class IdleWorker:
    """A worker that is never called."""

    threads, gpus, at_once, memory = 1, 0.0, 2, 100
    prepare = open = read = compute = write = record_failure = print


@pytest.mark.slow
def test_no_photo_is_lost_with_a_node(tmp_path):
    pytest.importorskip("ray")
    command = [sys.executable, str(PROGRAM), str(tmp_path), "200"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["predicted"] == report["photos"] == 200 and report["equal"], report
    assert report["nodes"] == 2 and report["retried"] > 0, report


def test_a_missing_ray_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"fullconv\[ray\]"):
        list(executors["ray"](IdleWorker(), []))
