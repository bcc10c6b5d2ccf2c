"""Threads of this process: while one input is computed, others are read and written."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore

from fullconv.batch.executors import WorkItems, engines
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.errors import OutputError
from fullconv.io.storage import local_path

AHEAD = 2
"""Inputs that are read or written while others are computed."""

AHEAD_OF_STORES = 14
"""The same where reading is mostly waiting for a network."""


@engines.register("local")
def run(work: WorkItems, inputs: Iterable[Input]) -> Iterator[Record]:
    """Do the inputs, as many at once as the work says."""
    return overlapped(work, inputs, work.at_once)


def overlapped(work: WorkItems, inputs: Iterable[Input], at_once: int) -> Iterator[Record]:
    """Do the inputs; at most `AHEAD` more than are computed are in memory at any time.

    Args:
        work: what is done with each.
        inputs: asked for one after the other, as there is room for them.
        at_once: how many are computed at the same time.

    Raises:
        OutputError: answers cannot be written.
    """
    work.prepare()
    computing = Semaphore(at_once)
    pool = ThreadPoolExecutor(at_once + AHEAD_OF_STORES, "fullconv")
    waiting: deque[Future[Record]] = deque()
    try:
        for item in inputs:
            ahead = AHEAD if local_path(item.where) else AHEAD_OF_STORES
            while len(waiting) >= at_once + ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_done, work, item, computing))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _done(work: WorkItems, item: Input, computing: Semaphore) -> Record:
    """One input, from its file to its record."""
    try:
        loaded = work.read(item)
        with computing:
            answer = work.compute(loaded)
        return work.write(item, loaded, answer)
    except OutputError:
        raise
    except Exception as error:  # whatever is wrong with one input must not stop the others
        return work.failed(item, error)
