"""A Ray cluster: batches of inputs as tasks; batches of a lost node run again elsewhere.

Ray's CPUs are logical: a task may use more threads than it declares. Each task here declares the
threads that its network uses. Tasks rather than actors: actors would hold all CPUs of a cluster, so
nothing else could run, and new nodes would get no work.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from fullconv.batch.executors import InputWorker, executors
from fullconv.batch.executors.local import run_overlapped
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.batch.ray_cluster import check_room, connected
from fullconv.errors import ConfigError, EngineError, OutputError, require

BATCH = 8
"""Inputs per task: enough to make sending cheap, few enough to make losing it cheap."""

ATTEMPTS = 4
"""How often an input is tried by itself, after a process died that had it in its batch."""


@executors.register("ray")
def run(worker: InputWorker, inputs: Iterable[Input]) -> Iterator[Record]:
    """Process the inputs on the cluster at RAY_ADDRESS, or on one started on this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no node has the CPUs or GPUs that one input needs.
        OutputError: predictions cannot be written.
    """
    ray = require("ray", extra="ray", what="--executor ray")
    with connected(ray):
        check_room(ray, {"CPU": worker.threads, "GPU": worker.gpus}, "photo")
        # max_calls keeps processes of GPU tasks with their model; lost tasks are retried below.
        settings = {"num_cpus": worker.threads, "num_gpus": worker.gpus, "max_retries": 0}
        task = ray.remote(max_calls=0, **settings)(_batch)
        remaining, sent = iter(inputs), deque[tuple[list[Input], Any]]()
        try:
            while True:
                while len(sent) < _max_tasks(ray, worker) and (
                    batch := list(islice(remaining, BATCH))
                ):
                    sent.append((batch, task.remote(worker, batch)))
                if not sent:
                    return
                yield from _records(ray, task, worker, *sent.popleft())
        finally:
            for _, reference in sent:
                ray.cancel(reference)


def _batch(worker: InputWorker, items: list[Input]) -> list[Record]:
    return list(run_overlapped(worker, items, at_once=1))


def _records(
    ray: Any, task: Any, worker: InputWorker, items: list[Input], reference: Any
) -> Iterator[Record]:
    """Yield the records of a batch; if its process or node is lost, rerun its inputs one by one."""
    try:
        yield from _result(ray, reference)
        return
    except _lost_errors(ray):
        single = [(item, task.remote(worker, [item])) for item in items]
    for item, retried in single:
        yield _retry(ray, task, worker, item, retried)


def _retry(ray: Any, task: Any, worker: InputWorker, item: Input, reference: Any) -> Record:
    for _ in range(ATTEMPTS - 1):
        try:
            return _result(ray, reference)[0]
        except _lost_errors(ray):
            reference = task.remote(worker, [item])
    try:
        return _result(ray, reference)[0]
    except _lost_errors(ray) as error:
        reason = f"{item.where}: {ATTEMPTS} worker processes crashed ({type(error).__name__})"
        return worker.record_failure(item, EngineError(reason))


def _result(ray: Any, reference: Any) -> list[Record]:
    try:
        records: list[Record] = ray.get(reference)
        return records
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OutputError | ConfigError):
            raise error.cause from None
        raise


def _lost_errors(ray: Any) -> tuple[type[Exception], ...]:
    """Return the errors that Ray raises if a task's process, node or result is lost."""
    kinds = ray.exceptions
    return (
        kinds.WorkerCrashedError,
        kinds.NodeDiedError,
        kinds.LocalRayletDiedError,
        kinds.ObjectLostError,
        kinds.OutOfMemoryError,
    )


def _max_tasks(ray: Any, worker: InputWorker) -> int:
    """Return the tasks to keep submitted: two per slot of the cluster as it is now."""
    total = ray.cluster_resources()
    slots = [total.get("CPU", 0) / worker.threads]
    if worker.gpus:
        slots.append(total.get("GPU", 0) / worker.gpus)
    return 2 * max(1, int(min(slots)))
