"""Asked to stop: Ctrl-C, SIGTERM from a scheduler, or SIGUSR1 shortly before its time is over."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from fullconv.cli._console import console

# Exit codes of work that was asked to stop: it saved all there is, and can go on.
STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 75}


@contextmanager
def stoppable() -> Iterator[list[signal.Signals]]:
    """A list that gets the first signal to stop; a second Ctrl-C ends the process at once.

    It may: every file appears whole or not at all.
    """
    received: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    with _handled(note), _impatience():
        yield received


@contextmanager
def leaving() -> Iterator[None]:
    """Inside, being asked to stop means to leave at once, with the code that says so.

    For all that is done before there is something to save, and after everything is saved. Nothing
    is raised: PyTorch calls Python from C++, where an exception that nobody expects aborts.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        with suppress(OSError, RuntimeError):  # it may have been within a write
            sys.stdout.flush()
        _end(signal.Signals(number))

    with _handled(leave):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in STOPPED}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _impatience() -> Iterator[None]:
    """Inside, a second Ctrl-C is heard at once, also while a long computation keeps all else off.

    Python's own handlers wait for the computation; what the system writes into a pipe does not.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _open.append(writer)
    listener = threading.Thread(target=_listen, args=(reader,), daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        _open.remove(writer)
        os.write(writer, bytes(1))
        listener.join()
        os.close(reader)
        os.close(writer)


def _listen(reader: int) -> None:
    asked = False
    while number := os.read(reader, 1)[0]:
        if asked and number == signal.SIGINT:
            _end(signal.SIGINT)
        asked = asked or number in STOPPED


def _end(asked: signal.Signals) -> NoReturn:
    console.show_cursor(True)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(STOPPED[asked])  # threads that compute would be waited for otherwise


_open: list[int] = []  # pipes that somebody listens to


def _deaf() -> None:
    """A forked process has nobody who listens: what it is sent must not reach its parent's pipe."""
    if _open:
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_deaf)
