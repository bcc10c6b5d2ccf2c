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
    lane = WorkerProcess(Engine("telling", report_process, (), {"HINT": "1"}), threads=3)
    process, threads, hint = lane.answer(IMAGES)
    assert process != os.getpid() and (threads, hint) == (3, 1)
    assert "HINT" not in os.environ, "the environment is only the other's"
    assert lane.precision == "int8" and lane.work(IMAGES) == 12
    turn = lane.turn(IMAGES, 5)
    assert 0 < turn.wall < 1 and turn.cpu >= 0
    before = lane.peak()
    lane.answer(np.zeros((1, 3, 3, 2), np.float32))
    assert 60 << 20 < lane.peak() - before < 70 << 20
    with pytest.raises(EngineError, match="telling: its process ended with code 7; it may"):
        lane.answer(IMAGES[:, :, :1])
    with pytest.raises(EngineError, match="telling: its process "):
        lane.answer(IMAGES)
    lane.close()
    captured = capfd.readouterr()
    assert not captured.out and "a library that prints" in captured.err


def test_ctrl_c_is_for_the_one_that_asks():
    before = signal.getsignal(signal.SIGINT)
    lane = WorkerProcess(Engine("telling", report_process), threads=1)
    process = int(lane.answer(IMAGES)[0])
    os.kill(process, signal.SIGINT)
    assert int(lane.answer(IMAGES)[0]) == process
    assert signal.getsignal(signal.SIGINT) is before
    lane.close()


def test_a_closed_engine_leaves_no_process():
    lane = WorkerProcess(Engine("telling", report_process), threads=1)
    process = int(lane.answer(IMAGES)[0])
    lane.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_what_fails_to_start_says_why_in_one_line(tmp_path):
    with pytest.raises(EngineError, match=r"^failing: no such weights$"):
        run_in_process("failing", fail_to_start, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "started"


def test_a_turn_is_the_mean_of_its_calls():
    calls = []
    wall, cpu = iter([10.0, 14.0]), iter([1.0, 7.0])
    lane = InProcess(ReadyEngine(calls.append), lambda: next(wall), lambda: next(cpu))
    assert lane.turn(IMAGES, 4) == Timing(1.0, 1.5) and len(calls) == 4
    assert lane.work(IMAGES) is None and lane.precision == "fp32"


def test_the_clocks_are_those_of_the_machine():
    lane = InProcess(ReadyEngine(lambda images: time.sleep(0.02)))
    turn = lane.turn(IMAGES, 1)
    assert turn.wall >= 0.02 > turn.cpu
