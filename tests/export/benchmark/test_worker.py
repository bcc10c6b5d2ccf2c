import os
import signal
import time

import numpy as np
import pytest

from bench_engines import fail_to_start, report_process
from fullconv.errors import EngineError
from fullconv.export.benchmark.timing import Engine, ReadyEngine, Timing
from fullconv.export.benchmark.worker import InProcess, WorkerProcess, run_in_process

IMAGES = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)


def test_an_engine_runs_in_its_own_process(capfd):
    runner = WorkerProcess(Engine("report", report_process, (), {"HINT": "1"}), threads=3)
    process, threads, hint = runner.scores(IMAGES)
    assert process != os.getpid() and (threads, hint) == (3, 1)
    assert "HINT" not in os.environ, "the variable is set in the other process only"
    assert runner.precision == "int8" and runner.work(IMAGES) == 12
    turn = runner.turn(IMAGES, 5)
    assert 0 < turn.wall < 1 and turn.cpu >= 0
    before = runner.peak()
    runner.scores(np.zeros((1, 3, 3, 2), np.float32))
    assert 60 << 20 < runner.peak() - before < 70 << 20
    with pytest.raises(EngineError, match="report: its process ended with code 7; it may"):
        runner.scores(IMAGES[:, :, :1])
    with pytest.raises(EngineError, match="report: its process "):
        runner.scores(IMAGES)
    runner.close()
    captured = capfd.readouterr()
    assert not captured.out and "a library that prints" in captured.err


def test_ctrl_c_does_not_stop_the_worker():
    before = signal.getsignal(signal.SIGINT)
    runner = WorkerProcess(Engine("report", report_process), threads=1)
    process = int(runner.scores(IMAGES)[0])
    os.kill(process, signal.SIGINT)
    assert int(runner.scores(IMAGES)[0]) == process
    assert signal.getsignal(signal.SIGINT) is before
    runner.close()


def test_a_closed_engine_leaves_no_process():
    runner = WorkerProcess(Engine("report", report_process), threads=1)
    process = int(runner.scores(IMAGES)[0])
    runner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_failed_start_is_explained_in_one_line(tmp_path):
    with pytest.raises(EngineError, match=r"^broken: no such weights$"):
        run_in_process("broken", fail_to_start, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "started"


def test_the_time_of_a_turn_is_the_mean_of_its_calls():
    calls = []
    wall, cpu = iter([10.0, 14.0]), iter([1.0, 7.0])
    runner = InProcess(ReadyEngine(calls.append), lambda: next(wall), lambda: next(cpu))
    assert runner.turn(IMAGES, 4) == Timing(1.0, 1.5) and len(calls) == 5
    assert runner.work(IMAGES) is None and runner.precision == "fp32"


def test_wall_and_cpu_time_are_those_of_the_machine():
    runner = InProcess(ReadyEngine(lambda images: time.sleep(0.02)))
    turn = runner.turn(IMAGES, 1)
    assert turn.wall >= 0.02 > turn.cpu


def test_the_first_call_after_another_engine_is_not_timed():
    now, calls = [0.0], []

    def run(images):
        calls.append(now[0])
        now[0] += 5.0 if len(calls) == 1 else 1.0
        return images

    runner = InProcess(ReadyEngine(run), lambda: now[0], lambda: now[0])
    assert runner.turn(IMAGES, 3) == Timing(1.0, 1.0) and len(calls) == 4
