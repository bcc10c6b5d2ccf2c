"""Inputs are let in as long as they fit, in order, and none waits for ever."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from fullconv.batch.memory_gate import InputMemory, MemoryGate
from fullconv.inference.stopping import StoppedError


def run(inputs, total, threads=8, pause=0.001):
    """Pass all inputs through a gate; return the largest sum of what was in use at a time."""
    gate, lock = MemoryGate(total), threading.Lock()
    used = most = 0
    order = []

    def note(change):
        nonlocal used, most
        with lock:
            used += change
            most = max(most, used)

    def process(number, memory):
        with gate.admit(memory):
            order.append(number)
            note(memory.held)
            time.sleep(pause)
            with gate.compute(memory):
                note(memory.compute)
                time.sleep(pause)
                note(-memory.compute)
            note(-memory.held)

    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(process, *pair) for pair in enumerate(inputs)]
        for task in tasks:
            task.result(timeout=30)
    return most, order


@pytest.mark.parametrize("seed", range(4))
def test_what_is_in_use_never_exceeds_the_memory(seed):
    draw = Random(seed)
    inputs = [InputMemory(draw.randint(1, 60), draw.randint(0, 40), None) for _ in range(60)]
    most, order = run(inputs, 100)
    assert most <= 100 and sorted(order) == list(range(60))


def test_bytes_are_taken_if_they_fit_and_given_back():
    gate = MemoryGate(100)
    with gate.admit(InputMemory(30, 500, None)), gate.keep(20):
        assert gate.take(50) and not gate.take(1)
    assert gate.planned == 50 and gate.take(50) and not gate.take(1)
    gate.give_back(100)
    assert gate.planned == 0 and not gate.take(101)


def test_bytes_that_are_given_back_let_those_in_who_wait():
    gate, inside = MemoryGate(100), []

    def enter(size):
        with gate.admit(InputMemory(size, 0, None)):
            inside.append(size)

    assert gate.take(60)
    with gate.admit(InputMemory(10, 0, None)), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(enter, 40)
        time.sleep(0.02)
        assert not inside
        gate.give_back(60)
        waiting.result(timeout=30)
    assert inside == [40]


def test_bytes_that_are_kept_take_their_share():
    gate, inside = MemoryGate(100), []

    def enter(memory):
        with gate.admit(memory):
            inside.append(memory)

    small = InputMemory(30, 10, None)
    with ThreadPoolExecutor(2) as pool, gate.keep(50):
        assert gate.planned == 50
        with gate.admit(small):  # the first one is always let in
            task = pool.submit(enter, small)
            time.sleep(0.05)
            assert not inside and gate.planned == 80
        task.result(timeout=30)
    assert inside == [small] and gate.planned == 0


def test_those_who_wait_enter_when_bytes_are_no_longer_kept():
    gate, small = MemoryGate(100), InputMemory(30, 10, None)
    with gate.admit(small), ThreadPoolExecutor(1) as pool:
        with gate.keep(1000):
            task = pool.submit(lambda: gate.admit(small).__enter__())
            time.sleep(0.05)
            assert not task.done()
        task.result(timeout=30)


def test_small_inputs_run_side_by_side():
    inputs = [InputMemory(10, 10, None)] * 32
    most, _ = run(inputs, 100, pause=0.01)
    assert most > 40


def test_one_that_exceeds_the_memory_runs_alone():
    inputs = [InputMemory(30, 20, None), InputMemory(150, 50, None), InputMemory(30, 20, None)]
    most, order = run(inputs, 100)
    assert most == 200 and sorted(order) == [0, 1, 2]


def test_a_failure_gives_its_memory_back():
    gate, memory = MemoryGate(100), InputMemory(60, 40, None)
    for _ in range(3):
        with pytest.raises(ValueError), gate.admit(memory), gate.compute(memory):
            raise ValueError


def test_the_number_of_computations_and_of_inputs_ahead_is_limited():
    gate, memory = MemoryGate(1000, at_once=2, ahead=1), InputMemory(1, 1, None)
    computing = inside = most_computing = most_inside = 0
    lock = threading.Lock()

    def process(number):
        nonlocal computing, inside, most_computing, most_inside
        with gate.admit(memory):
            with lock:
                inside += 1
                most_inside = max(most_inside, inside)
            with gate.compute(memory):
                with lock:
                    computing += 1
                    most_computing = max(most_computing, computing)
                time.sleep(0.002)
                with lock:
                    computing -= 1
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(process, range(40)))
    assert (most_computing, most_inside) == (2, 3)
    assert gate.computing == 0 and gate.planned == 0


def test_inputs_that_wait_can_give_up():
    gate, memory, stopped = MemoryGate(1, at_once=1), InputMemory(1, 1, None), threading.Event()

    def wait(enter):
        with pytest.raises(StoppedError), enter(memory, stopped.is_set):
            pass
        return True

    with ThreadPoolExecutor(2) as pool, gate.admit(memory), gate.compute(memory):
        waiting = [pool.submit(wait, gate.admit), pool.submit(wait, gate.compute)]
        time.sleep(0.02)
        assert not any(task.done() for task in waiting)
        stopped.set()
        gate.wake()
        assert all(task.result(timeout=5) for task in waiting)
    with gate.admit(memory), gate.compute(memory):  # nothing is left of those that gave up
        assert gate.planned == 2
