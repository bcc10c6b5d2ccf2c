"""Against a stand-in with the signatures of trackio 0.43, whose database outlives a process."""

import sys

import pytest

from fullconv.training.run.trackers import Tracking


class Database:
    def __init__(self):
        self.rows = {}

    def init(
        self, project, name=None, *, config=None, resume="never", embed=True,
        auto_log_gpu=None, auto_log_cpu=None,
    ):  # fmt: skip
        sys.stdout.write("* Trackio project initialized")
        assert resume == "allow" and not embed
        return Run(self.rows.setdefault((project, name), []))


class Run:
    def __init__(self, rows):
        self.rows, self.queue = rows, []
        self._next_step = max((step for step, _ in rows), default=-1) + 1

    def log(self, metrics, step=None):
        self.queue.append((step, metrics))

    def finish(self):
        sys.stdout.write("* Run finished.")
        self.rows += self.queue


@pytest.fixture
def database(monkeypatch):
    fake = Database()
    monkeypatch.setitem(sys.modules, "trackio", fake)
    monkeypatch.delenv("TRACKIO_PROJECT", raising=False)
    return fake


def run(folder, steps, past=(), killed=False):
    tracking = Tracking(["trackio"])
    notes = tracking.begin(folder, "street", {"lr": 1}, [(s, {"loss": 1.0}) for s in past])
    notes += [note for step in steps for note in tracking.log(step, {"loss": 1.0})]
    assert notes == []
    if not killed:
        assert tracking.end(True) == []


def test_a_resumed_run_continues_the_same_run_without_repeating_a_step(database, tmp_path, capsys):
    run(tmp_path, [10, 20])
    run(tmp_path, [20, 30], past=[10])
    (((project, name), rows),) = database.rows.items()
    assert project == "fullconv" and name.startswith("street-")
    assert [step for step, _ in rows] == [10, 20, 30]
    assert capsys.readouterr().out == ""  # what a command prints is for its user


def test_rows_lost_with_the_queue_are_logged_again(database, tmp_path):
    run(tmp_path, [10])
    run(tmp_path, [20, 30], past=[10], killed=True)
    run(tmp_path, [40], past=[10, 20, 30])
    (rows,) = database.rows.values()
    assert [step for step, _ in rows] == [10, 20, 30, 40]


def test_runs_with_equal_names_in_two_folders_are_separate(database, tmp_path):
    run(tmp_path / "a", [10])
    run(tmp_path / "b", [10])
    assert len(database.rows) == 2
