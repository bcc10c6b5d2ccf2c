"""Read the files of a data set on all cores."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeVar

from fullconv.data.sample import Pair
from fullconv.hardware import usable_cores

Result = TypeVar("Result")

MAX_WORKERS = 8
MIN_PAIRS = 64  # below, starting processes takes longer than they save
_CHUNK = 8

_functions: list[Callable[[Pair], Any]] = []  # of a forked process


def parallel_map(
    function: Callable[[Pair], Result], pairs: Sequence[Pair], workers: int | None, python: bool
) -> Iterator[Result]:
    """Yield `function` of each pair, in order.

    Decoding images releases Python's lock, so threads use all cores. Drawing polygons does not:
    it takes processes, which are forked, since the function cannot be pickled.

    Args:
        function: its exceptions are raised here.
        pairs: its arguments.
        workers: number of threads or processes; None for one per core, at most `MAX_WORKERS`.
        python: whether the function is mostly Python code, not decoding.
    """
    count = workers or min(MAX_WORKERS, usable_cores())
    if python and count > 1 and len(pairs) >= MIN_PAIRS and sys.platform == "linux":
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(count, fork, _functions.append, (function,)) as processes:
            yield from processes.map(_call, pairs, chunksize=_CHUNK)
    else:
        with ThreadPoolExecutor(count) as threads:
            yield from threads.map(function, pairs)


def _call(pair: Pair) -> Any:
    return _functions[-1](pair)
