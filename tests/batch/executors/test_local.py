"""Threads overlap reading, computing and writing, in order and in bounded memory."""

import threading
import time

import pytest

from fullconv.batch.executors import engines
from fullconv.batch.executors.local import AHEAD, overlapped
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.errors import ImageError, OutputError


class Sleeping:
    """Work that takes time and no processor, and counts what happens at the same time."""

    threads, gpus, at_once = 1, 0.0, 2

    def __init__(self, pause=0.01):
        self.pause = pause
        self.lock = threading.Lock()
        self.in_memory = self.most_in_memory = self.computing = self.most_computing = 0
        self.began = []

    def prepare(self):
        pass

    def read(self, item):
        with self.lock:
            self.began.append(item.id)
            self.in_memory += 1
            self.most_in_memory = max(self.most_in_memory, self.in_memory)
        time.sleep(self.pause)
        if item.id == "bad":
            raise ImageError("bad")
        return item.id

    def compute(self, loaded):
        with self.lock:
            self.computing += 1
            self.most_computing = max(self.most_computing, self.computing)
        time.sleep(self.pause)
        with self.lock:
            self.computing -= 1
        return loaded

    def write(self, item, loaded, answer):
        time.sleep(self.pause)
        with self.lock:
            self.in_memory -= 1
        if item.id == "full":
            raise OutputError("the disk is full")
        return PredictionRecord(item.id, item.where, item.id, "", 1, 1, 1)

    def failed(self, item, error):
        with self.lock:
            self.in_memory -= 1
        return FailureRecord(item.id, item.where, str(error))


def inputs(*ids):
    return [Input(str(one), str(one)) for one in ids]


def test_as_many_are_computed_at_once_as_the_work_says():
    work = Sleeping()
    assert len(list(engines["local"](work, inputs(*range(24))))) == 24
    assert work.most_computing == work.at_once == 2


@pytest.mark.parametrize("at_once", [1, 3])
def test_parts_overlap_and_memory_is_bounded(at_once):
    work, began = Sleeping(0.02), time.monotonic()
    records = list(overlapped(work, inputs(*range(24)), at_once))
    assert [record.id for record in records] == [str(number) for number in range(24)]
    assert work.most_computing == at_once
    assert work.most_in_memory <= at_once + AHEAD
    assert time.monotonic() - began < 24 * 3 * work.pause, "no faster than one after the other"


def test_inputs_are_asked_for_only_as_there_is_room():
    work, asked = Sleeping(), []

    def endless():
        number = 0
        while True:
            asked.append(number)
            yield Input(str(number), str(number))
            number += 1

    records = overlapped(work, endless(), 1)
    assert [next(records).id for _ in range(5)] == list("01234")
    assert len(asked) <= 5 + 1 + AHEAD + 1
    records.close()
    time.sleep(0.05)
    assert len(work.began) <= len(asked)


def test_what_is_wrong_with_one_is_its_own_affair():
    records = list(engines["local"](Sleeping(0), inputs("a", "bad", "b")))
    assert [type(record) for record in records] == [
        PredictionRecord,
        FailureRecord,
        PredictionRecord,
    ]


def test_what_is_wrong_with_the_disk_ends_all():
    work = Sleeping(0.01)
    with pytest.raises(OutputError, match="full"):
        list(overlapped(work, inputs("a", "full", *range(30)), 1))
    assert len(work.began) < 10
