import math
import sys

import pytest

from fullconv.errors import MissingExtraError, UnknownNameError
from fullconv.training.run.trackers import Tracking, trackers, with_classes


class MemoryTracker:
    """A tracker that keeps its rows in memory, and fails at a given step."""

    def __init__(self, held=0, fails_at=None):
        self.held, self.fails_at = held, fails_at
        self.rows, self.ended = [], None

    def begin(self, folder, name, settings):
        return self.held

    def log(self, step, numbers):
        if step == self.fails_at:
            raise ConnectionError("no route\nto host")
        self.rows.append((step, dict(numbers)))

    def end(self, finished):
        self.ended = finished


@pytest.fixture
def using(monkeypatch):
    def use(**members):
        made = {name: (lambda member=member: member) for name, member in members.items()}
        monkeypatch.setattr(trackers, "_members", made)
        monkeypatch.setattr(trackers, "_loaded", True)
        return Tracking(list(members))

    return use


def steps(diary):
    return [step for step, _ in diary.rows]


def test_no_step_is_logged_twice_and_missing_ones_are_logged(using, tmp_path):
    late, ahead = MemoryTracker(held=10), MemoryTracker(held=40)
    tracking = using(late=late, ahead=ahead)
    past = [(step, {"loss": 1.0}) for step in (10, 20, 30)]
    assert tracking.begin(tmp_path, "run", {}, past) == []
    for step in (40, 50):
        assert tracking.log(step, {"loss": 0.5}) == []
    assert steps(late) == [20, 30, 40, 50]
    assert steps(ahead) == [50]


def test_a_failing_tracker_is_reported_once_and_the_others_continue(using, tmp_path):
    broken, working = MemoryTracker(fails_at=20), MemoryTracker()
    tracking = using(broken=broken, working=working)
    tracking.begin(tmp_path, "run", {})
    notes = [note for step in (10, 20, 30) for note in tracking.log(step, {"loss": 1.0})]
    assert len(notes) == 1
    assert (
        "tracker broken failed and is disabled" in notes[0]
        and "ConnectionError: no route to host" in notes[0]
    )
    assert steps(broken) == [10] and steps(working) == [10, 20, 30]
    assert tracking.end(True) == []
    assert working.ended is True and broken.ended is None


def test_a_tracker_cannot_end_the_process(using, tmp_path):
    class Quitting(MemoryTracker):
        def begin(self, folder, name, settings):
            raise SystemExit(1)

    assert len(using(quitting=Quitting()).begin(tmp_path, "run", {})) == 1


def test_non_finite_numbers_are_omitted(using, tmp_path):
    diary = MemoryTracker()
    tracking = using(diary=diary)
    tracking.begin(tmp_path, "run", {})
    tracking.log(1, {"loss": 2.0, "mean_iou": math.nan, "lr": math.inf})
    assert diary.rows == [(1, {"loss": 2.0})]


def test_a_row_gets_its_classes_and_no_step():
    row = with_classes({"epoch": 1, "step": 8, "loss": 2.0}, ("step", "sky"), (0.5, 0.25))
    assert row == {"epoch": 1, "loss": 2.0, "iou/step": 0.5, "iou/sky": 0.25}


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownNameError, match="mlflow, tensorboard, trackio, wandb"):
        Tracking(["tensorbord"])


@pytest.mark.parametrize("name", ["mlflow", "tensorboard", "trackio", "wandb"])
def test_a_missing_package_is_reported_at_once(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "fullconv\[{name}\]"'):
        Tracking([name])
