"""Run each engine in its own process, so none disturbs the measurement of another.

In one process, waiting threads, allocators and settings of one library would disturb the next, and
their memory could not be measured separately. A process sleeps while others compute.
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
from fullconv.export.benchmark.timing import Engine, Images, ReadyEngine, Timing
from fullconv.hardware import peak_memory


class WorkerProcess:
    """An engine in its own process, which ends with `close` or with this process.

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
        theirs.close()  # so the end of the process is noticed here
        self.precision: str = self._reply()

    def scores(self, images: Images) -> np.ndarray:
        """Return the scores of images."""
        scores: np.ndarray = self._ask("scores", images)
        return scores

    def turn(self, images: Images, calls: int) -> Timing:
        """Return the mean time of consecutive calls."""
        turn: Timing = self._ask("turn", images, calls)
        return turn

    def work(self, images: Images) -> int | None:
        """Return the multiply-adds of one run; None if they cannot be counted."""
        work: int | None = self._ask("work", images)
        return work

    def peak(self) -> int:
        """Return the peak memory of the process in bytes."""
        peak: int = self._ask("peak")
        return peak

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((method, arguments))
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
                "it may have run out of memory"
            ) from error
        if not done:
            self.close()
            raise EngineError(f"{self.engine.name}: {value}")
        return value


def run_in_process(
    name: str, start: Callable[..., ReadyEngine], *arguments: Any, threads: int = 1
) -> None:
    """Call a module-level function in another process, for the files that it writes.

    Raises:
        EngineError: it failed; the message begins with `name`.
    """
    WorkerProcess(Engine(name, start, arguments), threads).close()


class InProcess:
    """An engine in this process."""

    def __init__(
        self,
        started: ReadyEngine,
        wall: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._started, self._wall, self._cpu = started, wall, cpu
        self.precision = started.precision

    def scores(self, images: Images) -> np.ndarray:
        """Return the scores of images."""
        return self._started.run(images)

    def turn(self, images: Images, calls: int) -> Timing:
        """Return the mean time of consecutive calls."""
        # Not measured: a loop over photos has one first call, and each turn here another one.
        self._started.run(images)
        wall, cpu = self._wall(), self._cpu()
        for _ in range(calls):
            self._started.run(images)
        return Timing((self._wall() - wall) / calls, (self._cpu() - cpu) / calls)

    def work(self, images: Images) -> int | None:
        """Return the multiply-adds of one run; None if they cannot be counted."""
        return None if self._started.work is None else self._started.work(images)

    def peak(self) -> int:
        """Return the most bytes that the process has held; 0 where it is not reported."""
        peak = peak_memory()
        return 0 if math.isnan(peak) else int(peak)


def _serve(pipe: Connection, engine: Engine) -> None:
    """Serve requests in the engine's process until the other end is closed."""
    os.dup2(2, 1)  # libraries print; stdout is for results
    try:
        runner = InProcess(engine.start(*engine.arguments))
        pipe.send((True, runner.precision))
        while True:
            method, arguments = pipe.recv()
            pipe.send((True, getattr(runner, method)(*arguments)))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # each library has its own exceptions
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
    """Let processes started inside ignore Ctrl-C from the beginning: `close` ends them.

    Signals can be set, and arrive, in the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
