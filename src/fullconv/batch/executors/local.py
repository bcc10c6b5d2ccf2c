"""Threads of this process: while one input is computed, others are read and written."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from fullconv.batch.executors import InputWorker, executors
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.batch.memory_gate import MemoryGate
from fullconv.errors import OutputError
from fullconv.io.storage import local_path

AHEAD = 2
"""Inputs that are read or written while others are computed."""

AHEAD_OF_STORES = 14
"""The same for object stores, where reading mostly waits for the network."""


@executors.register("local")
def run(worker: InputWorker, inputs: Iterable[Input]) -> Iterator[Record]:
    """Process the inputs, as many at once as the worker says."""
    return run_overlapped(worker, inputs, worker.at_once)


def run_overlapped(worker: InputWorker, inputs: Iterable[Input], at_once: int) -> Iterator[Record]:
    """Process the inputs; holds at most `at_once + AHEAD` of them in memory, or fewer large ones.

    Args:
        worker: reads, computes and writes each input.
        inputs: consumed only as there is room for them.
        at_once: number of inputs computed at the same time.

    Raises:
        OutputError: predictions cannot be written.
    """
    worker.prepare()
    gate = MemoryGate(worker.memory * at_once, at_once)
    # Each thread has PyTorch's number of threads from when it begins; another job may take turns.
    pool = ThreadPoolExecutor(at_once + AHEAD_OF_STORES, "fullconv", worker.prepare)
    waiting: deque[Future[Record]] = deque()
    try:
        for item in inputs:
            ahead = AHEAD if local_path(item.where) else AHEAD_OF_STORES
            while len(waiting) >= at_once + ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_process, worker, item, at_once, gate))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _process(worker: InputWorker, item: Input, at_once: int, gate: MemoryGate) -> Record:
    try:
        opened = worker.open(item, at_once)
        with gate.admit(opened.memory):
            loaded = worker.read(item, opened)
            with gate.compute(opened.memory):
                prediction = worker.compute(loaded, opened)
            return worker.write(item, loaded, prediction)
    except OutputError:
        raise
    except Exception as error:  # one bad input must not stop the others
        return worker.record_failure(item, error)
