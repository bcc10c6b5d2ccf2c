"""Against a stand-in with the signatures of mlflow 3.17, whose store outlives a client."""

import os
import re
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from fullconv.training.run.trackers import Tracking
from fullconv.training.run.trackers.mlflow import MLflow, valid_names


@dataclass
class Metric:
    key: str
    value: float
    timestamp: int
    step: int


@dataclass
class Param:
    key: str
    value: str


class Store:
    def __init__(self):
        self.experiments, self.runs = {}, {}
        self.entities = SimpleNamespace(Metric=Metric, Param=Param)

    def MlflowClient(self, tracking_uri=None, registry_uri=None, workspace_store_uri=None):
        return self

    def get_experiment_by_name(self, name):
        known = self.experiments.get(name)
        return known and SimpleNamespace(experiment_id=known)

    def create_experiment(self, name, artifact_location=None, tags=None):
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def create_run(self, experiment_id, start_time=None, tags=None, run_name=None):
        assert experiment_id in self.experiments.values()
        run = f"id{len(self.runs)}"
        self.runs[run] = SimpleNamespace(
            metrics=[], params={}, status="RUNNING", info=SimpleNamespace(run_id=run)
        )
        return self.runs[run]

    def log_batch(self, run_id, metrics=(), params=(), tags=(), synchronous=None):
        assert len(metrics) <= 1000 and len(params) <= 100
        for param in params:  # as in mlflow, a parameter cannot change
            assert self.runs[run_id].params.setdefault(param.key, param.value) == param.value
        for metric in metrics:
            assert re.match(r"^[/\w.\- ]*$", metric.key), metric.key
        self.runs[run_id].metrics += metrics

    def get_metric_history(self, run_id, key):
        return [metric for metric in self.runs[run_id].metrics if metric.key == key]

    def update_run(self, run_id, status=None, name=None):
        self.runs[run_id].status = status

    def set_terminated(self, run_id, status=None, end_time=None):
        self.runs[run_id].status = status


@pytest.fixture
def store(monkeypatch):
    fake = Store()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return fake


def run(folder, steps, past=(), settings=None, finished=True):
    tracking = Tracking(["mlflow"])
    notes = tracking.begin(folder, "run", settings or {}, [(s, {"loss": 1.0}) for s in past])
    notes += [note for s in steps for note in tracking.log(s, {"loss": 1.0, "iou/a(b)": 0.5})]
    assert notes + tracking.end(finished) == []


def test_a_resumed_run_continues_the_same_run_without_repeating_a_step(store, tmp_path):
    run(tmp_path, [10, 20, 30], settings={"workers": 0}, finished=False)
    assert store.runs["id0"].status == "KILLED"
    run(tmp_path, [30, 40], past=[10, 20], settings={"workers": 2})
    assert list(store.runs) == ["id0"] and store.runs["id0"].status == "FINISHED"
    assert [m.step for m in store.get_metric_history("id0", "loss")] == [10, 20, 30, 40]
    assert [m.step for m in store.get_metric_history("id0", "iou/a_b_")] == [10, 20, 30, 40]


def test_another_folder_is_another_run_of_the_experiment(store, tmp_path):
    run(tmp_path / "a", [10])
    run(tmp_path / "b", [10])
    assert list(store.runs) == ["id0", "id1"] and list(store.experiments) == ["fullconv"]


def test_many_and_long_settings_stay_within_the_limits(store, tmp_path):
    run(tmp_path, [10], settings={f"s{n}": "x" * 9000 for n in range(150)})
    params = store.runs["id0"].params
    assert len(params) == 150 and {len(value) for value in params.values()} == {6000}


def test_a_run_missing_in_the_store_is_reported(store, tmp_path):
    run(tmp_path, [10])
    store.runs.clear()
    (note,) = Tracking(["mlflow"]).begin(tmp_path, "run", {})
    assert "tracker mlflow failed and is disabled" in note


def test_an_unreachable_store_times_out_soon(store, monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    MLflow()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "1"  # set by the user


@pytest.mark.parametrize(
    "names", [("a(b)", "a[b]", "a{b}"), ("..", "//"), ("", "道路"), ("x" * 300,)]
)
def test_names_are_valid_and_unique(names):
    given = {f"iou/{name}": float(index) for index, name in enumerate(names)}
    found = valid_names(given | {"mean_iou": 9.0})
    assert list(found.values()) == [*given.values(), 9.0] and "mean_iou" in found
    for name in found:
        assert re.fullmatch(r"[/\w.\- ]{1,250}", name) and name.count("/") <= 1
        assert not set(name.split("/")) & {"", ".", ".."}
