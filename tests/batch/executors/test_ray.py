"""A cluster delivers every image, whatever becomes of its machines."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fullconv.batch.executors import engines
from fullconv.batch.executors.ray import _check
from fullconv.errors import ConfigError, MissingExtraError

PROGRAM = Path(__file__).parents[2] / "two_nodes.py"


class Nothing:
    """Work that is never done."""

    threads, gpus, at_once = 1, 0.0, 2
    prepare = read = compute = write = failed = print


@pytest.mark.slow
def test_a_node_is_lost_in_the_middle_and_no_photo_is(tmp_path):
    pytest.importorskip("ray")
    command = [sys.executable, str(PROGRAM), str(tmp_path), "200"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["answered"] == report["photos"] == 200 and report["equal"], report
    assert report["nodes"] == 2 and report["sent again"] > 0, report


class Needing(Nothing):
    def __init__(self, threads, gpus):
        self.threads, self.gpus = threads, gpus


def test_what_no_node_can_do_is_refused_and_not_waited_for():
    resources = ({"CPU": 2.0}, {"CPU": 9.0})
    nodes = [{"Alive": cpus["CPU"] == 2, "Resources": cpus} for cpus in resources]
    cluster = SimpleNamespace(nodes=lambda: nodes)
    _check(cluster, Needing(2, 0.0))
    with pytest.raises(ConfigError, match=r"needs 3 CPUs and 0 GPUs of a node; the .* has 2"):
        _check(cluster, Needing(3, 0.0))
    with pytest.raises(ConfigError, match="1 GPUs"):
        _check(cluster, Needing(1, 1.0))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"fullconv\[ray\]"):
        list(engines["ray"](Nothing(), []))
