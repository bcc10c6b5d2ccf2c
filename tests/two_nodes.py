"""A Ray cluster of two nodes on this machine loses one midway; run by engines/test_ray.py."""

import json
import os
import signal
import sys
import time
from pathlib import Path

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # Ray's 15 starves the workers on a busy machine
    "OMP_NUM_THREADS": "1",
}

import ray
from ray.cluster_utils import Cluster

from fullconv.batch.executors import ray as engine
from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.job import create_job
from fullconv.batch.manifest import PredictionRecord
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import answers
from fullconv.export.exported import open_model
from photos import content, write_model, write_photos

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


def todo(folder, out, engine):
    model = folder / "model.safetensors"
    inputs = resolve_inputs([str(folder / "photos")])
    work = create_job(open_model(model), model, inputs, out=folder / out, threads=1)
    return plan_resume(work, inputs, engine=engine)


def lose(node):
    """Kill a node's worker processes with it: a machine that is gone finishes nothing."""
    raylet = node.all_processes["raylet"][0].process.pid
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    for process in (raylet, *map(int, children)):
        os.kill(process, signal.SIGKILL)


def main(folder, photos):
    write_model(folder / "model.safetensors")
    write_photos(folder / "photos", photos, (120, 160))
    local = list(answers(todo(folder, "local", "local")))
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    second = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    sent_again = []
    insisting = engine._insisting
    engine._insisting = lambda *given: sent_again.append(given[3].id) or insisting(*given)
    began, records = time.monotonic(), []
    for record in answers(todo(folder, "cluster", "ray")):
        if len(records) == photos // 4:
            nodes = sum(node["Alive"] for node in ray.nodes())
            lose(second)
            cluster.remove_node(second, allow_graceful=False)
        records.append(record)
    report = {
        "photos": photos,
        "answered": sum(isinstance(record, PredictionRecord) for record in records),
        "nodes": nodes,
        "sent again": len(sent_again),
        "equal": content(folder / "local") == content(folder / "cluster") and records == local,
        "seconds": round(time.monotonic() - began, 1),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
