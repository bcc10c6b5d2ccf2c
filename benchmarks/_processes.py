"""Measure tasks in processes of different settings, which take turns: the others sleep."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

Tasks = Mapping[str, Callable[[], object]]
WORK = "--work"  # the argument of a process that measures


def work(tasks: Tasks) -> None:
    """Run each task once, print their names, then measure what each line of stdin asks for.

    A line is "NUMBER SECONDS"; the median time of the runs in these seconds is printed.
    """
    found = list(tasks.items())
    for _, run in found:
        run()
    print(*(name for name, _ in found), sep="\t", flush=True)
    for line in sys.stdin:
        number, seconds = line.split()
        times: list[float] = []
        while len(times) < 2 or sum(times) < float(seconds):
            began = time.perf_counter()
            found[int(number)][1]()
            times.append(time.perf_counter() - began)
        print(statistics.median(times), flush=True)


class Workers:
    """Processes that run this script with `--work`, one for each setting.

    Attributes:
        names: of the tasks.
        processes: by the name of their setting.
    """

    def __init__(self, processes: Mapping[str, "subprocess.Popen[str]"]) -> None:
        self.processes = processes
        lines = [process.stdout.readline() for process in processes.values()]  # all are ready
        self.names = lines[0].rstrip("\n").split("\t")

    def measure(self, setting: str, number: int, seconds: float) -> float:
        """Return the median time of a task under a setting, in seconds."""
        process = self.processes[setting]
        process.stdin.write(f"{number} {seconds}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    def rounds(self, count: int, seconds: float) -> dict[tuple[str, int], list[float]]:
        """Measure every task under every setting, in turns; return the times of the rounds."""
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(count):
            for number in range(len(self.names)):
                for setting in self.processes:
                    found = self.measure(setting, number, seconds)
                    times.setdefault((setting, number), []).append(found)
        return times


@contextmanager
def workers(settings: Mapping[str, Mapping[str, str]]) -> Iterator[Workers]:
    """Start a process for each setting, which is a set of environment variables."""
    command = [sys.executable, sys.argv[0], WORK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as started:
        processes = {}
        for name, variables in settings.items():
            process = subprocess.Popen(command, text=True, env={**os.environ, **variables}, **pipes)
            started.callback(process.wait)
            started.callback(process.kill)
            processes[name] = process
        yield Workers(processes)
