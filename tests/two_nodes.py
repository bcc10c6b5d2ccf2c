"""Lose one of two nodes of a local Ray cluster midway; run by executors/test_ray.py."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 starves the workers on a busy machine
    "OMP_NUM_THREADS": "1",
}

import ray
from ray.cluster_utils import Cluster

from fullconv.batch.create_job import create_job
from fullconv.batch.executors import ray as engine
from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.manifest import PredictionRecord
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.model import load
from photos import content, write_model, write_photos

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


def plan(folder, out, engine):
    model = folder / "model.safetensors"
    inputs = resolve_inputs([str(folder / "photos")])
    job = create_job(load(model), model, inputs, out=folder / out, threads=1)
    return plan_resume(job, inputs, executor=engine)


def kill(node):
    """Kill a node and its worker processes, as if the machine were lost."""
    raylet = node.all_processes["raylet"][0].process.pid
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    for process in (raylet, *map(int, children)):
        os.kill(process, signal.SIGKILL)


def wait_on(node, folder, batch):
    """Make batches on a node wait once the file "hold" exists, so that the node is lost at work."""

    def wait(worker, items):
        if ray.get_runtime_context().get_node_id() == node and (folder / "hold").exists():
            (folder / "held").touch()
            time.sleep(300)
        return batch(worker, items)

    return wait


def lose(cluster, node, folder, lost):
    """Lose the node as soon as it holds a batch."""
    while not (folder / "held").exists():
        time.sleep(0.02)
    lost.append(sum(node["Alive"] for node in ray.nodes()))
    kill(node)
    cluster.remove_node(node, allow_graceful=False)


def main(folder, photos):
    write_model(folder / "model.safetensors")
    write_photos(folder / "photos", photos, (120, 160))
    local = list(run_job(plan(folder, "local", "local")))
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    retried = []
    retry = engine._retry
    engine._retry = lambda *given: retried.append(given[3].id) or retry(*given)
    engine._batch = wait_on(second.node_id, folder, engine._batch)
    nodes = []
    threading.Thread(target=lose, args=(cluster, second, folder, nodes), daemon=True).start()
    start, records = time.monotonic(), []
    for record in run_job(plan(folder, "cluster", "ray")):
        if len(records) == photos // 4:
            (folder / "hold").touch()
        records.append(record)
    report = {
        "photos": photos,
        "predicted": sum(isinstance(record, PredictionRecord) for record in records),
        "nodes": sum(nodes),
        "retried": len(retried),
        "equal": content(folder / "local") == content(folder / "cluster") and records == local,
        "seconds": round(time.monotonic() - start, 1),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
