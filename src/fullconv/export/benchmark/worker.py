"""Engines in processes of their own, so that none disturbs another's measurement.

Threads that wait for work, allocators and settings of one library would disturb the next one's
turn, and the memory of one could not be told from another's. A process sleeps while others compute.
"""

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from fullconv.errors import EngineError
from fullconv.export.benchmark.timing import Engine, Images, Started, Timing
from fullconv.hardware import peak_memory


class WorkerProcess:
    """An engine in a process of its own, which ends with `close`, or with this process.

    Raises:
        EngineError: it could not be started.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self.engine = engine
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, engine), daemon=True)
        environment = {"OMP_NUM_THREADS": str(threads), **engine.environment}
        with _environment(environment), _interrupts_ignored():
            self._process.start()
        theirs.close()  # so that its end is seen here
        self.precision: str = self._reply()

    def answer(self, images: Images) -> np.ndarray:
        """The scores of some images."""
        scores: np.ndarray = self._ask("answer", images)
        return scores

    def turn(self, images: Images, calls: int) -> Timing:
        """The mean time of some calls in a row."""
        turn: Timing = self._ask("turn", images, calls)
        return turn

    def work(self, images: Images) -> int | None:
        """Multiply-adds of one run, where they can be counted."""
        work: int | None = self._ask("work", images)
        return work

    def peak(self) -> int:
        """Bytes of memory that the process has held at the most."""
        peak: int = self._ask("peak")
        return peak

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, what: str, *details: Any) -> Any:
        try:
            self._pipe.send((what, details))
        except OSError as error:
            raise EngineError(f"{self.engine.name}: its process has ended") from error
        return self._reply()

    def _reply(self) -> Any:
        try:
            done, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(5)
            raise EngineError(
                f"{self.engine.name}: its process ended with code {self._process.exitcode}; "
                "was there not enough memory?"
            ) from error
        if not done:
            self.close()
            raise EngineError(f"{self.engine.name}: {value}")
        return value


def do_apart(name: str, start: Callable[..., Started], *arguments: Any, threads: int = 1) -> None:
    """Call a function of a module in another process, for what it leaves in files.

    Raises:
        EngineError: it failed; the message begins with `name`.
    """
    WorkerProcess(Engine(name, start, arguments), threads).close()


class InProcess:
    """An engine in this process."""

    def __init__(
        self,
        started: Started,
        wall: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._started, self._wall, self._cpu = started, wall, cpu
        self.precision = started.precision

    def answer(self, images: Images) -> np.ndarray:
        """The scores of some images."""
        return self._started.run(images)

    def turn(self, images: Images, calls: int) -> Timing:
        """The mean time of some calls in a row."""
        wall, cpu = self._wall(), self._cpu()
        for _ in range(calls):
            self._started.run(images)
        return Timing((self._wall() - wall) / calls, (self._cpu() - cpu) / calls)

    def work(self, images: Images) -> int | None:
        """Multiply-adds of one run, where they can be counted."""
        return None if self._started.work is None else self._started.work(images)

    def peak(self) -> int:
        """Return the most bytes that the process has held; 0 where it is not reported."""
        peak = peak_memory()
        return 0 if math.isnan(peak) else int(peak)


def _serve(pipe: Connection, engine: Engine) -> None:
    """What the engine's process does: answer requests until the other end is closed."""
    os.dup2(2, 1)  # libraries print; standard output is the result's
    try:
        lane = InProcess(engine.start(*engine.arguments))
        pipe.send((True, lane.precision))
        while True:
            what, details = pipe.recv()
            pipe.send((True, getattr(lane, what)(*details)))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # each library has exceptions of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        pipe.send((False, lines[0][:300]))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What starts meanwhile ignores Ctrl-C, from its first moment: the other end says when to stop.

    Only the main thread may say so, and only it is interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
