"""A Ray cluster: batches of inputs as tasks; those of a node that is lost are done elsewhere.

Ray's CPUs are logical: a task takes as many threads as it likes, whatever it says. So each one says
how many its network uses, and uses no more. All are tasks, for actors that hold all of a cluster's
CPUs leave none for what they wait for, and new nodes get no part of the work.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from fullconv.batch.executors import WorkItems, engines
from fullconv.batch.executors.local import overlapped
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.errors import ConfigError, OutputError, require

BATCH = 8
"""Inputs of one task: enough that sending it costs little, few enough that losing it does."""

ATTEMPTS = 4
"""Times that an input is tried by itself, after it was in a batch whose process died."""


@engines.register("ray")
def run(work: WorkItems, inputs: Iterable[Input]) -> Iterator[Record]:
    """Do the inputs on the cluster that RAY_ADDRESS names, or on one of this machine alone.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no node has as many CPUs or GPUs as one input needs.
        OutputError: answers cannot be written.
    """
    ray = require("ray", extra="ray", what="--engine ray")
    with _connected(ray):
        _check(ray, work)
        # A process whose GPU task is done is kept, with its model; a lost task is sent again by us.
        settings = {"num_cpus": work.threads, "num_gpus": work.gpus, "max_retries": 0}
        task = ray.remote(max_calls=0, **settings)(_batch)
        rest, sent = iter(inputs), deque[tuple[list[Input], Any]]()
        try:
            while True:
                while len(sent) < _room(ray, work) and (batch := list(islice(rest, BATCH))):
                    sent.append((batch, task.remote(work, batch)))
                if not sent:
                    return
                yield from _records(ray, task, work, *sent.popleft())
        finally:
            for _, reference in sent:
                ray.cancel(reference)


def _batch(work: WorkItems, items: list[Input]) -> list[Record]:
    return list(overlapped(work, items, at_once=1))


def _records(
    ray: Any, task: Any, work: WorkItems, items: list[Input], reference: Any
) -> Iterator[Record]:
    """The records of one batch; where its process or node was lost, it is done one by one."""
    try:
        yield from _result(ray, reference)
        return
    except _lost(ray):
        alone = [(item, task.remote(work, [item])) for item in items]
    for item, again in alone:
        yield _insisting(ray, task, work, item, again)


def _insisting(ray: Any, task: Any, work: WorkItems, item: Input, reference: Any) -> Record:
    for _ in range(ATTEMPTS - 1):
        try:
            return _result(ray, reference)[0]
        except _lost(ray):
            reference = task.remote(work, [item])
    try:
        return _result(ray, reference)[0]
    except _lost(ray) as error:
        what = f"{item.where}: {ATTEMPTS} processes died of it ({type(error).__name__})"
        return work.failed(item, ConfigError(what))


def _result(ray: Any, reference: Any) -> list[Record]:
    try:
        records: list[Record] = ray.get(reference)
        return records
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OutputError | ConfigError):
            raise error.cause from None
        raise


def _lost(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray says of a task whose process, node or result is gone."""
    kinds = ray.exceptions
    return (
        kinds.WorkerCrashedError,
        kinds.NodeDiedError,
        kinds.LocalRayletDiedError,
        kinds.ObjectLostError,
        kinds.OutOfMemoryError,
    )


def _room(ray: Any, work: WorkItems) -> int:
    """Tasks under way at once: two for each that the cluster, as it is now, computes."""
    total = ray.cluster_resources()
    rooms = [total.get("CPU", 0) / work.threads]
    if work.gpus:
        rooms.append(total.get("GPU", 0) / work.gpus)
    return 2 * max(1, int(min(rooms)))


def _check(ray: Any, work: WorkItems) -> None:
    """Refuse what Ray would wait for without end."""
    needs = {"CPU": work.threads, "GPU": work.gpus}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(k, 0) >= count for k, count in needs.items()) for node in nodes):
        largest = {k: max((node.get(k, 0) for node in nodes), default=0) for k in needs}
        raise ConfigError(
            f"one photo needs {work.threads} CPUs and {work.gpus:g} GPUs of a node; the largest "
            f"of the cluster's {len(nodes)} nodes has {largest['CPU']:g} and {largest['GPU']:g}: "
            "choose fewer --threads, or another --device"
        )


@contextmanager
def _connected(ray: Any) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    address = os.environ.get("RAY_ADDRESS", "local")
    alone = {"include_dashboard": False} if address == "local" else {}
    ray.init(address, log_to_driver=False, logging_level="ERROR", **alone)
    if main:  # Ray takes SIGTERM for itself
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()
