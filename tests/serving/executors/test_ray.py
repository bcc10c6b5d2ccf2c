"""Ray Serve: no accepted request is lost with a replica."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx2
import numpy as np
import pytest

from fullconv.errors import ConfigError, MissingExtraError
from fullconv.io.images import encode_png
from fullconv.serving import Limits
from fullconv.serving.executors import ServerPlan, executors
from photos import write_model
from serving_models import wait_for

PHOTO = encode_png(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
CLIENTS, SECONDS = 6, 8
needs_ray_serve = pytest.mark.skipif(
    not all(map(find_spec, ("ray", "fastapi", "aiohttp"))), reason="needs the extra ray-serve"
)


def refused(name, **options):
    plan = ServerPlan(["missing.safetensors"], Limits(memory=1), **options)
    with executors[name](plan):
        raise AssertionError("it started")


def test_what_does_not_fit_together_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="--replicas needs --executor ray"):
        refused("local", replicas=2)
    with pytest.raises(ConfigError, match="--uds is for one process"):
        refused("ray", uds=Path("socket"))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"fullconv\[ray-serve\]"):
        refused("ray")


@pytest.mark.slow
@needs_ray_serve
def test_no_accepted_request_is_lost_with_a_replica(tmp_path):
    with serving(tmp_path) as (process, address):
        with httpx2.Client(base_url=address, timeout=120, trust_env=False) as http:
            expected = predict(http)
            assert expected.status_code == 200 and expected.content.startswith(b"\x89PNG")
            assert http.get("/readyz").json() == {"ready": True}
            assert http.get("/predict").status_code == 405
            assert http.get("/nothing").json()["status"] == 404
            bad = http.post("/predict", headers={"Host": "rebound.example"})
            assert bad.status_code == 403 and "--allow-host" in bad.json()["detail"]
        replicas = find_replicas(process.pid)
        assert len(replicas) == 2
        statuses, wrong = under_load(address, expected.content, lambda: kill(replicas[0]))
        assert not wrong and statuses[200] > CLIENTS and set(statuses) <= {200, 503}, statuses
        wait_for(lambda: len(find_replicas(process.pid)) == 2, 120)  # Ray starts another one
        statuses, wrong = under_load(address, expected.content, process.terminate)
        assert not wrong and statuses[200] > 0, statuses
        assert process.wait(120) == 143
        assert set(statuses) <= {200, 503, "refused"}, statuses


@contextmanager
def serving(folder):
    """Run a server of two replicas; yield its process and its address."""
    model, log = write_model(folder / "m.safetensors"), folder / "log"
    command = [sys.executable, "-m", "fullconv", "serve", str(model), "--port", "0"]
    command += ["--executor", "ray", "--replicas", "2", "--memory", "300MiB", "--engine", "torch"]
    # Ray's workers are nice by default, and starve on a busy machine.
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "RAY_worker_niceness": "0"}
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        wait_for(lambda: "serving at" in log.read_text() or process.poll() is not None, 300)
        assert process.poll() is None, log.read_text()
        yield process, log.read_text().partition("serving at ")[2].split()[0]
    finally:
        process.terminate()
        process.wait(120)


def predict(http):
    return http.post("/predict?format=confidence", content=PHOTO)


def under_load(address, expected, happening):
    """Send requests for some seconds; return their statuses and how many had other bytes."""
    statuses, wrong = Counter(), []
    end = time.monotonic() + SECONDS

    def ask():
        with httpx2.Client(base_url=address, timeout=120, trust_env=False) as http:
            while time.monotonic() < end:
                try:
                    response = predict(http)
                except httpx2.ConnectError:  # nothing listens any more, so none is accepted
                    statuses["refused"] += 1
                    return
                statuses[response.status_code] += 1
                if response.status_code == 200 and response.content != expected:
                    wrong.append(response)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 4)
    happening()
    for thread in threads:
        thread.join()
    return statuses, wrong


def find_replicas(pid):
    """Return the processes of replicas below a process."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            name = Path(f"/proc/{one}/cmdline").read_bytes()
            tasks = list(Path(f"/proc/{one}/task").glob("*/children"))
            waiting += [int(child) for task in tasks for child in task.read_text().split()]
        except OSError:
            continue
        if b"ServeReplica" in name:
            found.append(one)
    return sorted(found)


def kill(pid):
    os.kill(pid, signal.SIGKILL)
