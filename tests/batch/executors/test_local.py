"""The local engine overlaps reading, computing and writing, in order and in bounded memory."""

import threading
import time
from types import SimpleNamespace

import pytest

from fullconv.batch.executors import executors
from fullconv.batch.executors.local import AHEAD, run_overlapped
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.memory_gate import InputMemory
from fullconv.errors import ImageError, OutputError


class SleepingWorker:
    """Takes time but no CPU, and counts what happens at the same time."""

    threads, gpus, at_once, memory = 1, 0.0, 2, 100

    def __init__(self, pause=0.01):
        self.pause = pause
        self.lock = threading.Lock()
        self.in_memory = self.most_in_memory = self.computing = self.most_computing = 0
        self.started = []

    def prepare(self):
        pass

    def open(self, item, at_once):
        return SimpleNamespace(memory=InputMemory(1, 1, None))

    def read(self, item, opened):
        with self.lock:
            self.started.append(item.id)
            self.in_memory += 1
            self.most_in_memory = max(self.most_in_memory, self.in_memory)
        time.sleep(self.pause)
        if item.id == "bad":
            raise ImageError("bad")
        return item.id

    def compute(self, loaded, opened):
        with self.lock:
            self.computing += 1
            self.most_computing = max(self.most_computing, self.computing)
        time.sleep(self.pause)
        with self.lock:
            self.computing -= 1
        return loaded

    def write(self, item, loaded, prediction):
        time.sleep(self.pause)
        with self.lock:
            self.in_memory -= 1
        if item.id == "full":
            raise OutputError("the disk is full")
        return PredictionRecord(item.id, item.where, item.id, "", 1, 1, 1)

    def record_failure(self, item, error):
        with self.lock:
            self.in_memory -= 1
        return FailureRecord(item.id, item.where, str(error))


def inputs(*ids):
    return [Input(str(input_id), str(input_id)) for input_id in ids]


def test_each_thread_is_prepared():
    prepared = set()

    class Prepared(SleepingWorker):
        def prepare(self):
            prepared.add(threading.get_ident())

        def compute(self, loaded, opened):
            assert threading.get_ident() in prepared
            return super().compute(loaded, opened)

    records = list(executors["local"](Prepared(), inputs(*range(6))))
    assert [type(record) for record in records] == [PredictionRecord] * 6


def test_the_worker_sets_how_many_are_computed_at_once():
    worker = SleepingWorker()
    assert len(list(executors["local"](worker, inputs(*range(24))))) == 24
    assert worker.most_computing == worker.at_once == 2


@pytest.mark.parametrize("at_once", [1, 3])
def test_parts_overlap_and_memory_is_bounded(at_once):
    worker, start = SleepingWorker(0.02), time.monotonic()
    records = list(run_overlapped(worker, inputs(*range(24)), at_once))
    assert [record.id for record in records] == [str(number) for number in range(24)]
    assert worker.most_computing == at_once
    assert worker.most_in_memory <= at_once + AHEAD
    assert time.monotonic() - start < 24 * 3 * worker.pause, "no faster than one by one"


def test_inputs_are_consumed_only_as_there_is_room():
    worker, asked = SleepingWorker(), []

    def endless():
        number = 0
        while True:
            asked.append(number)
            yield Input(str(number), str(number))
            number += 1

    records = run_overlapped(worker, endless(), 1)
    assert [next(records).id for _ in range(5)] == list("01234")
    assert len(asked) <= 5 + 1 + AHEAD + 1
    records.close()
    time.sleep(0.05)
    assert len(worker.started) <= len(asked)


def test_one_bad_input_does_not_stop_the_others():
    records = list(executors["local"](SleepingWorker(0), inputs("a", "bad", "b")))
    assert [type(record) for record in records] == [
        PredictionRecord,
        FailureRecord,
        PredictionRecord,
    ]


def test_a_full_disk_aborts_the_job():
    worker = SleepingWorker(0.01)
    with pytest.raises(OutputError, match="full"):
        list(run_overlapped(worker, inputs("a", "full", *range(30)), 1))
    assert len(worker.started) < 10
