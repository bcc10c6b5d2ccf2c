"""Ignore Pillow's warnings in any number of threads, without changing those of the program."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class _Shared:
    """How many threads ignore warnings, and the filters that were there before the first."""

    def __init__(self) -> None:
        self.lock, self.threads = Lock(), 0
        self.before: warnings.catch_warnings[None] | None = None


_shared = _Shared()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore warnings inside the block.

    Filters belong to the process. Threads that each restored them would restore those of another
    thread's block, and so ignore the program's warnings for ever; here the last one restores them.
    """
    shared = _shared
    with shared.lock:
        if not shared.threads:
            shared.before = warnings.catch_warnings()
            shared.before.__enter__()
            warnings.simplefilter("ignore")
        shared.threads += 1
    try:
        yield
    finally:
        with shared.lock:
            shared.threads -= 1
            if not shared.threads and shared.before:
                shared.before.__exit__(None, None, None)


def _forget() -> None:
    """Forget the threads of a parent process, which a fork does not copy, and their lock."""
    global _shared
    _shared = _Shared()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_forget)
