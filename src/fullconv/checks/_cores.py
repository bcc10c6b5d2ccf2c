"""One function over many files, on all cores."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeVar

from fullconv.formats import Pair

Result = TypeVar("Result")

FEW = 64  # pairs for which processes would cost more than they bring
_CHUNK = 8

_work: list[Callable[[Pair], Any]] = []  # of a process that was forked to do it


def over(
    work: Callable[[Pair], Result], pairs: Sequence[Pair], workers: int | None, python: bool
) -> Iterator[Result]:
    """What `work` says of each pair, in their order.

    Decoding pictures leaves Python's lock, so that threads do it on all cores. Painting shapes does
    not: that takes processes, which are forked, since what reads a data set cannot be sent to them.

    Args:
        work: its exceptions are raised here.
        pairs: what it is asked about.
        workers: threads or processes; None is one a core, at most 8.
        python: whether `work` is mostly Python and not decoding.
    """
    count = workers or min(8, os.cpu_count() or 1)
    if python and count > 1 and len(pairs) >= FEW and sys.platform == "linux":
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(count, fork, _work.append, (work,)) as processes:
            yield from processes.map(_do, pairs, chunksize=_CHUNK)
    else:
        with ThreadPoolExecutor(count) as threads:
            yield from threads.map(work, pairs)


def _do(pair: Pair) -> Any:
    return _work[-1](pair)
