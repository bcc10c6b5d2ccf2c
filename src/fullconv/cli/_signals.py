"""Stop on request: Ctrl-C, SIGTERM from a scheduler, or SIGUSR1 shortly before a time limit."""

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

# Exit codes of work that was asked to stop: it has saved its state and can be resumed.
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
if hasattr(signal, "SIGUSR1"):  # Windows has none
    EXIT_CODES[signal.SIGUSR1] = 75


@contextmanager
def exit_on_signal() -> Iterator[None]:
    """Exit immediately with the signal's exit code, for work that has nothing to save.

    No exception is raised: PyTorch calls Python from C++, which aborts on an unexpected exception.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        with suppress(OSError, RuntimeError):  # the signal may have interrupted a write
            sys.stdout.flush()
            if console.is_terminal:  # the shell's prompt gets a line of its own
                os.write(sys.stderr.fileno(), b"\n")
        exit_now(signal.Signals(number))

    with _handlers(leave):
        yield


@contextmanager
def collect_signals() -> Iterator[list[signal.Signals]]:
    """Yield a list to which signals to stop are appended; a second Ctrl-C exits immediately.

    An immediate exit is safe, because every file is written atomically.
    """
    received: list[signal.Signals] = []

    def collect(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))

    with _handlers(collect), _exit_on_second_interrupt():
        yield received


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number in EXIT_CODES}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def exit_now(number: signal.Signals) -> NoReturn:
    """Exit with a signal's exit code, without waiting for threads that compute."""
    console.show_cursor(True)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(EXIT_CODES[number])  # sys.exit would wait for threads that compute


# A second Ctrl-C has to work within a long computation too, when Python runs no signal handlers.
# The interpreter writes each signal's number into a pipe at once, which a thread reads.

_open_pipes: list[int] = []


@contextmanager
def _exit_on_second_interrupt() -> Iterator[None]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _open_pipes.append(writer)
    listener = threading.Thread(target=_listen, args=(reader,), daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        _open_pipes.remove(writer)
        os.write(writer, bytes(1))  # a zero ends the listener
        listener.join()
        os.close(reader)
        os.close(writer)


def _listen(reader: int) -> None:
    asked = False
    while number := os.read(reader, 1)[0]:
        if asked and number == signal.SIGINT:
            exit_now(signal.SIGINT)
        asked = asked or number in EXIT_CODES


def _disconnect_in_child() -> None:
    """Disconnect a forked process, so its signals do not reach the parent's listener."""
    if _open_pipes:
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_disconnect_in_child)
