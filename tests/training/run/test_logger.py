import json
from typing import ClassVar

import numpy as np
import pytest
import torch

from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion
from fullconv.training.run.folder import Run
from fullconv.training.run.logger import RunLogger
from fullconv.training.run.trackers import Tracking, trackers

CLASSES = ("sky", "road")
CPU = torch.device("cpu")


class MemoryTracker:
    """A tracker whose rows outlive a process."""

    rows: ClassVar[list] = []
    ended: ClassVar[list] = []

    def begin(self, folder, name, settings):
        return max((step for step, _ in self.rows), default=0)

    def log(self, step, numbers):
        self.rows.append((step, dict(numbers)))

    def end(self, finished):
        self.ended.append(finished)


@pytest.fixture
def diary(monkeypatch):
    fresh = type("Fresh", (MemoryTracker,), {"rows": [], "ended": []})
    monkeypatch.setattr(trackers, "_members", {"diary": fresh})
    monkeypatch.setattr(trackers, "_loaded", True)
    return fresh


def confusion(right):
    counts = np.array([[right, 10 - right, 0], [0, 10, 0]], np.int64)
    return HeadMetrics({"": Confusion(2, counts)})


def started(folder, done=0, is_main=True):
    logger = RunLogger(Run(folder), CLASSES, Tracking(["diary"]), done, is_main)
    assert logger.begin(folder.name, {"lr": 0.5}, device="cpu") == []
    return logger


def epoch(logger, number, evaluated=True):
    row = {"epoch": number, "step": 8 * number, "loss": 1 / number, "lr": 0.1, "seconds": 2.0}
    logger.step(0.25)
    row |= logger.speed(4, CPU)
    return logger.epoch(row, confusion(number) if evaluated else None)


def kinds(folder):
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [(event["event"], event["step"]) for event in map(json.loads, lines)]


def test_an_epoch_is_in_every_log(tmp_path, diary):
    logger = started(tmp_path)
    assert epoch(logger, 1) == [] and epoch(logger, 2, evaluated=False) == []
    run = Run(tmp_path)
    first, second = run.read_results()
    assert first["step"] == 8 and first["step_seconds"] == 0.25
    assert first["images_per_second"] == 16 and first["memory"] > 2**20
    (classes,) = run.read_class_history()
    assert classes.step == 8 and classes.iou == pytest.approx((0.1, 10 / 19), abs=1e-6)
    assert diary.rows[0][1]["iou/sky"] == 0.1 and "iou/sky" not in diary.rows[1][1]
    assert second["epoch"] == 2
    assert kinds(tmp_path) == [("start", 0), ("epoch", 8), ("epoch", 16)]


def test_a_kill_between_log_and_checkpoint_neither_repeats_nor_loses_an_epoch(tmp_path, diary):
    logger = started(tmp_path)
    for number in (1, 2, 3):
        epoch(logger, number)
    # The checkpoint is of step 16; the logged rows of epoch 3 are repeated.
    again = started(tmp_path, done=16)
    for number in (3, 4):
        epoch(again, number)
    run = Run(tmp_path)
    assert [row["epoch"] for row in run.read_results()] == [1, 2, 3, 4]
    assert [row.epoch for row in run.read_class_history()] == [1, 2, 3, 4]
    assert [step for step, _ in diary.rows] == [8, 16, 24, 32]
    assert kinds(tmp_path) == [
        ("start", 0),
        ("epoch", 8),
        ("epoch", 16),
        ("resume", 16),
        ("epoch", 24),
        ("epoch", 32),
    ]


def test_a_kill_after_an_evaluation_does_not_repeat_its_epoch(tmp_path, diary):
    logger = started(tmp_path)
    epoch(logger, 1)
    epoch(logger, 2)
    # The checkpoint is of epoch 2's last step, before its evaluation, which is repeated.
    epoch(started(tmp_path, done=16), 2)
    run = Run(tmp_path)
    assert [row["epoch"] for row in run.read_results()] == [1, 2]
    assert [row.epoch for row in run.read_class_history()] == [1, 2]
    assert [step for step, _ in diary.rows] == [8, 16]
    assert kinds(tmp_path) == [("start", 0), ("epoch", 8), ("resume", 16), ("epoch", 16)]


def test_a_tracker_added_later_gets_the_history_with_classes(tmp_path, diary):
    logger = started(tmp_path)
    epoch(logger, 1)
    diary.rows.clear()
    started(tmp_path, done=8)
    ((step, numbers),) = diary.rows
    assert step == 8 and numbers["iou/sky"] == pytest.approx(0.1)


def test_notes_are_kept_for_the_report(tmp_path, diary):
    logger = started(tmp_path)
    logger.note(20, "the loss rose")
    logger.note(20, "the loss rose")
    assert started(tmp_path, done=20).notes == [(20, "the loss rose")]


def test_trackers_learn_whether_the_run_is_finished(tmp_path, diary):
    started(tmp_path).end("stop", 8, reason="SIGTERM")
    started(tmp_path, done=8).end("finish", 16)
    assert diary.ended == [False, True]
    assert kinds(tmp_path)[-1] == ("finish", 16)


def test_only_the_main_process_writes(tmp_path, diary):
    logger = started(tmp_path, is_main=False)
    epoch(logger, 1)
    logger.note(8, "x")
    assert logger.end("finish", 8) == []
    assert list(tmp_path.iterdir()) == [] and diary.rows == [] and len(logger.rows) == 1
